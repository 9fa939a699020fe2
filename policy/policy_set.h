// SPDX-License-Identifier: Apache-2.0
// The policies of all kinds, and the rules that they make effective for a pod together.
#pragma once

#include <span>
#include <vector>

#include "policy/authorization_index.h"
#include "policy/isolation_book.h"
#include "policy/policy_index.h"
#include "policy/rule_book.h"
#include "policy/rule_list.h"
#include "policy/tier_index.h"

namespace weir {

// Whose rules are asked for: a pod of this node, with its interface's addresses.
struct Subject {
    const PodRecord& pod;
    std::span<const Address> addresses;
};

class PolicySet {
public:
    PolicySet(PredicateSet& predicates, const Symbol& trust_domain)
        : policies_(predicates, book_),
          tiers_(predicates, book_),
          authorizations_(predicates, book_, trust_domain) {}

    PolicyIndex& policies() { return policies_; }
    TierIndex& tiers() { return tiers_; }
    AuthorizationIndex& authorizations() { return authorizations_; }
    RuleBook& rules() { return book_; }
    const RuleBook& rules() const { return book_; }

    // AuthorizationPolicies of the root namespace are for all pods; it may not be known, or null.
    RuleListPtr effective_rules(const Subject& subject, weir_direction direction,
                                const NamespaceRecord* root);
    // Policies of all kinds that take part in the pod's verdicts, in the order of evaluation.
    std::vector<ObjectKey> policies_of(const PodRecord& pod, weir_direction direction,
                                       const NamespaceRecord* root) const;

private:
    void add_tier(const Subject& subject, Tier tier, weir_direction direction,
                  EffectiveRules& effective);
    // Returns whether there is an evaluation in which no NetworkPolicy isolates the pod.
    bool add_network_policies(const Subject& subject, weir_direction direction,
                              EffectiveRules& effective);
    void add_authorizations(const Subject& subject, const NamespaceRecord* root,
                            EffectiveRules& effective);

    RuleBook book_;
    IsolationBook isolations_{book_};
    RuleListSet lists_;
    PolicyIndex policies_;
    TierIndex tiers_;
    AuthorizationIndex authorizations_;
};

} // namespace weir
