// SPDX-License-Identifier: Apache-2.0
// NetworkPolicies as they stand, with their compiled rules, by the namespaces that they are for.
#pragma once

#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "policy/model.h"
#include "policy/object_index.h"
#include "policy/predicate_set.h"
#include "policy/rule_shelf.h"

namespace weir {

struct PolicyRecord {
    std::shared_ptr<const NetworkPolicy> policy;
    std::array<RuleShelf, WEIR_DIRECTIONS> rules;

    const std::vector<Rule>& of(weir_direction direction) const {
        return direction == WEIR_INGRESS ? policy->ingress : policy->egress;
    }
    bool isolates(weir_direction direction) const {
        return direction == WEIR_INGRESS ? policy->isolates_ingress : policy->isolates_egress;
    }
};

class PolicyIndex {
public:
    PolicyIndex(PredicateSet& predicates, RuleBook& book) : predicates_(predicates), book_(book) {}

    // Both return whether anything changed that a local pod of the namespace may notice.
    bool upsert(NamespaceRecord& ns, std::shared_ptr<const NetworkPolicy> policy);
    bool erase(NamespaceRecord& ns, const Symbol& name);

    // Policies that isolate the pod in the direction, by name.
    static std::vector<PolicyRecord*> isolating(const PodRecord& pod, weir_direction direction);
    const CompiledRulePtr& compiled(PolicyRecord& record, weir_direction direction,
                                    std::size_t index);

private:
    PredicateSet& predicates_;
    RuleBook& book_;
    std::unordered_map<ObjectName, std::unique_ptr<PolicyRecord>, ObjectNameHash> policies_;
};

} // namespace weir
