// SPDX-License-Identifier: Apache-2.0
// One rule of an AuthorizationPolicy. What layer 4 cannot judge is left out and remembered.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

class AuthorizationRuleDecoder {
public:
    // Service accounts without a namespace are of the policy's own.
    explicit AuthorizationRuleDecoder(std::string policy_namespace)
        : policy_namespace_(std::move(policy_namespace)) {}

    AuthorizationRule decode(const Field& field, std::uint32_t index);

    // Whether the rule has fields of layer 7, which the decoded one is without.
    bool has_layer7() const { return !layer7_.empty(); }
    // Says which, and what becomes of the rule.
    void warn(const Field& rule, bool is_deny) const;

private:
    std::vector<SourceMatch> decode_source(const Field& field);
    std::vector<DestinationMatch> decode_operation(const Field& field);
    void decode_condition(const Field& field, AuthorizationRule& rule);
    void decode_attribute(const Field& values, std::string_view key, bool is_negated,
                          AuthorizationRule& rule);
    SourceMatch decode_source_values(const Field& values, SourceMatch::Attribute attribute,
                                     bool is_negated) const;
    TextMatch decode_text(const Field& field, SourceMatch::Attribute attribute) const;
    TextMatch decode_service_account(const Field& field, std::string_view text) const;
    void decode_layer7(const Field& values);

    std::string policy_namespace_;
    std::vector<std::string> layer7_; // paths of the fields
};

} // namespace weir
