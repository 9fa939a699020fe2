// SPDX-License-Identifier: Apache-2.0
// AuthorizationPolicies as they stand, with their compiled rules, by the namespaces that they are
// for.
#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "policy/authorization_compiler.h"
#include "policy/model.h"
#include "policy/object_index.h"
#include "policy/predicate_set.h"
#include "policy/rule_shelf.h"

namespace weir {

struct AuthorizationRecord {
    std::shared_ptr<const AuthorizationPolicy> policy;
    RuleShelf rules;
};

class AuthorizationIndex {
public:
    using PolicyPtr = std::shared_ptr<const AuthorizationPolicy>;

    AuthorizationIndex(PredicateSet& predicates, RuleBook& book, const Symbol& trust_domain)
        : compiler_(predicates, trust_domain), book_(book) {}

    // Both return the policy as it was, or null. A policy that did not change is given back itself.
    PolicyPtr upsert(NamespaceRecord& ns, PolicyPtr policy);
    PolicyPtr erase(NamespaceRecord& ns, const Symbol& name);

    // Whether the policy selects the pod, which is in its scope.
    static bool selects(const AuthorizationPolicy& policy, const PodRecord& pod);
    // Policies of the pod's namespace and the root namespace (or null) that select the pod; by
    // namespace and name.
    static std::vector<AuthorizationRecord*> applying(const PodRecord& pod,
                                                      const NamespaceRecord* root);
    // Adds the policy's rules for a subject with these addresses, made after the pattern.
    void append(AuthorizationRecord& record, std::span<const Address> subject,
                const EffectiveRule& pattern, std::vector<EffectiveRule>& rules);

private:
    AuthorizationCompiler compiler_;
    RuleBook& book_;
    std::unordered_map<ObjectName, std::unique_ptr<AuthorizationRecord>, ObjectNameHash> records_;
};

} // namespace weir
