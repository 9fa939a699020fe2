// SPDX-License-Identifier: Apache-2.0
// The cluster-scoped tier policies as they stand, in the order in which they decide, with their
// compiled rules.
#pragma once

#include <array>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "policy/model.h"
#include "policy/object_index.h"
#include "policy/predicate_set.h"
#include "policy/rule_shelf.h"

namespace weir {

using Directions = unsigned; // a bit each
inline constexpr Directions kBothDirections = 1U << WEIR_EGRESS | 1U << WEIR_INGRESS;

struct TierRecord {
    ObjectKey key;
    std::shared_ptr<const TierPolicy> policy;
    std::array<RuleShelf, WEIR_DIRECTIONS> rules;

    const std::vector<TierRule>& of(weir_direction direction) const {
        return direction == WEIR_INGRESS ? policy->ingress : policy->egress;
    }
};

class TierIndex {
public:
    using PolicyPtr = std::shared_ptr<const TierPolicy>;

    TierIndex(PredicateSet& predicates, RuleBook& book) : predicates_(predicates), book_(book) {}

    // Both return the policy as it was, or null. A policy that did not change is given back itself.
    PolicyPtr upsert(const ObjectKey& key, PolicyPtr policy);
    PolicyPtr erase(const ObjectKey& key);

    // In which the policy is another for its subjects; before is null when it was not there.
    static Directions changed_directions(const TierPolicy* before, const TierPolicy& after);
    static bool selects(const TierPolicy& policy, const PodRecord& pod);
    // Policies of the tier that select the pod and have rules for the direction, in order.
    std::vector<TierRecord*> selecting(const PodRecord& pod, Tier tier,
                                       weir_direction direction) const;
    const CompiledRulePtr& compiled(TierRecord& record, weir_direction direction,
                                    std::size_t index);
    bool is_empty() const { return records_.empty(); }

private:
    // A total order, whatever came first: priority, then kind and name.
    struct IsBefore {
        bool operator()(const TierRecord* a, const TierRecord* b) const;
    };
    struct KeyHash {
        std::size_t operator()(const ObjectKey& key) const {
            return ObjectNameHash{}(key.name) * 31 + static_cast<std::size_t>(key.kind);
        }
    };
    using Order = std::set<TierRecord*, IsBefore>;

    Order& order_of(const TierPolicy& policy) {
        return orders_[static_cast<std::size_t>(policy.tier)];
    }

    PredicateSet& predicates_;
    RuleBook& book_;
    std::unordered_map<ObjectKey, std::unique_ptr<TierRecord>, KeyHash> records_;
    std::array<Order, 2> orders_; // by tier
};

} // namespace weir
