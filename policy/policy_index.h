// SPDX-License-Identifier: Apache-2.0
// NetworkPolicies as they stand, their rules' ids and compiled forms, and the rules that they make
// effective for a pod.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/model.h"
#include "policy/object_index.h"
#include "policy/rule_book.h"
#include "policy/rule_list.h"

namespace weir {

struct PolicyRecord {
    std::shared_ptr<const NetworkPolicy> policy;
    // Per direction and index; null until a pod needs the rule. A rule that stays as it is keeps
    // its id.
    std::array<std::vector<CompiledRulePtr>, WEIR_DIRECTIONS> rules;

    const std::vector<Rule>& of(weir_direction direction) const {
        return direction == WEIR_INGRESS ? policy->ingress : policy->egress;
    }
    bool isolates(weir_direction direction) const {
        return direction == WEIR_INGRESS ? policy->isolates_ingress : policy->isolates_egress;
    }
};

class PolicyIndex {
public:
    explicit PolicyIndex(PredicateSet& predicates) : predicates_(predicates) {}

    // Both return whether anything changed that a local pod of the namespace may notice.
    bool upsert(NamespaceRecord& ns, std::shared_ptr<const NetworkPolicy> policy);
    bool erase(NamespaceRecord& ns, const Symbol& name);

    // Policies that isolate the pod in the direction, by name.
    static std::vector<PolicyRecord*> isolating(const PodRecord& pod, weir_direction direction);
    RuleListPtr effective_rules(const PodRecord& pod, weir_direction direction);

    RuleBook& rules() { return book_; }
    const RuleBook& rules() const { return book_; }

private:
    using IsolationKey = std::string;

    void replace(PolicyRecord& record, std::shared_ptr<const NetworkPolicy> policy);
    RuleInfo info_of(const PolicyRecord& record, weir_direction direction, std::size_t index) const;
    const CompiledRulePtr& compiled(PolicyRecord& record, weir_direction direction,
                                    std::size_t index);
    void compile_peers(const Symbol& ns, const Rule& rule, CompiledRule& compiled);
    void compile_ports(const Rule& rule, weir_direction direction, CompiledRule& compiled);
    std::shared_ptr<const std::uint32_t> isolation(const std::vector<PolicyRecord*>& policies,
                                                   weir_direction direction);

    PredicateSet& predicates_;
    RuleBook book_;
    RuleListSet lists_;
    std::unordered_map<IsolationKey, std::weak_ptr<const std::uint32_t>> isolations_;
    std::unordered_map<ObjectName, std::unique_ptr<PolicyRecord>, ObjectNameHash> policies_;
};

} // namespace weir
