// SPDX-License-Identifier: Apache-2.0
// From one rule of an AuthorizationPolicy to its compiled form: what it asks about the source
// becomes predicates, what it asks about the destination becomes positions of TCP ports.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "policy/compiled_rule.h"
#include "policy/predicate_set.h"

namespace weir {

class AuthorizationCompiler {
public:
    AuthorizationCompiler(PredicateSet& predicates, const Symbol& trust_domain);

    // The id is left to the caller.
    CompiledRule compile(const AuthorizationRule& rule, bool is_deny);
    // What the rule is for a subject with these addresses: as it is (null), or once per address
    // family in which any port is left, where it asks for the subject's address. Source and
    // destination of a packet are of one family, so the peer's tells the subject's.
    using Part = std::shared_ptr<const SubjectPart>;
    std::vector<Part> parts_for(const AuthorizationRule& rule,
                                std::span<const Address> subject) const;

private:
    PeerTest test_of(const SourceMatch& match);

    PredicateSet& predicates_;
    Symbol trust_domain_;
    PredicatePtr all_v4_;
    PredicatePtr all_v6_;
};

} // namespace weir
