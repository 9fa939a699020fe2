// SPDX-License-Identifier: Apache-2.0
// Workload identities as AuthorizationPolicies ask for them: the namespace and service account of
// the pod that owns an address. Where identity is proven by a certificate one day, it is the same
// text.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "policy/predicate.h"

namespace weir {

struct NamespaceRecord;

// Host-network pods share their address: they have no identity, and nothing matches it.
bool holds(const IdentityPeer& peer, const PodRecord& pod);
// False where it holds for no pod of the namespace, whatever its service account.
bool may_hold(const IdentityPeer& peer, const NamespaceRecord& ns);

// Finds the texts in force that a pod's identity matches by look-ups, one per length that occurs.
class IdentityIndex {
public:
    void insert(Predicate& predicate);
    void erase(Predicate& predicate);
    void collect(const PodRecord& pod, Holders& holders) const;

private:
    using Texts = std::map<std::string, Predicate*, std::less<>>;
    struct Affixes {
        Texts texts;
        std::map<std::size_t, std::size_t> lengths; // how many texts have each
    };
    struct Group {
        SourceMatch::Attribute attribute;
        Symbol trust_domain;
        Texts exact;
        Predicate* present = nullptr;
        Affixes prefixes;
        Affixes suffixes;

        bool is_empty() const {
            return exact.empty() && present == nullptr && prefixes.texts.empty() &&
                   suffixes.texts.empty();
        }
    };

    Group& group_of(const IdentityPeer& peer);

    std::vector<Group> groups_;
};

} // namespace weir
