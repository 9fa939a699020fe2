// SPDX-License-Identifier: Apache-2.0
// A rule of any kind of policy with its peers interned: what all of them become before they are
// lined up for a pod.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "policy/chain.h"
#include "policy/key_range.h"
#include "policy/predicate.h"
#include "policy/signature.h"

namespace weir {

// One of them holds for the peer or, negated, none.
struct PeerTest {
    bool is_negated = false;
    std::vector<PredicatePtr> predicates;

    bool holds(const Signature& peer) const;
};
using PeerTests = std::vector<PeerTest>; // all hold

struct CompiledRule {
    std::uint32_t id = 0; // in the RuleBook
    ChainStep::Action action = ChainStep::Action::kAllow;
    bool is_any_peer = false;
    std::vector<PredicatePtr> peers; // one of them holds
    std::vector<PeerTests> sources;  // unless empty, one of them holds too
    PeerTests conditions;            // they hold too

    // Ports by name are open still: for ingress the subject's own decide, for egress the peer's.
    bool is_any_port = false; // then any protocol too
    KeyRanges ports;
    std::vector<NamedPort> subject_ports;
    std::vector<PredicatePtr> peer_ports; // NamedPort without number

    bool matches(const Signature& peer) const;
    // What it asks besides the peers.
    bool holds_otherwise(const Signature& peer) const;
    // Calls visit for every predicate that it asks.
    template <typename Visit>
    void for_each_predicate(Visit visit) const;
};
using CompiledRulePtr = std::shared_ptr<const CompiledRule>;

// What depends on the subject: its own named ports and addresses.
struct SubjectPart {
    KeyRanges ports;     // instead of the rule's
    PredicatePtr family; // not null: for peers of this address family alone
};

// A rule at its place in the order of evaluation.
struct EffectiveRule {
    CompiledRulePtr rule;
    Stage stage = Stage::kNetworkPolicy;
    Enforcement enforcement = Enforcement::kEnforced;
    std::shared_ptr<const SubjectPart> subject; // null: the rule as it is

    const KeyRanges& ports() const { return subject ? subject->ports : rule->ports; }
    bool matches(const Signature& peer) const { return is_of_family(peer) && rule->matches(peer); }
    // The same where it is known that the rule is for any peer or one of its peers holds.
    bool matches_known(const Signature& peer) const {
        return is_of_family(peer) && rule->holds_otherwise(peer);
    }
    bool is_of_family(const Signature& peer) const {
        return !subject || !subject->family || peer.has(subject->family.get());
    }
    // Positions that the peer's named ports add.
    std::vector<std::uint32_t> peer_ports(const Signature& peer) const;
};

template <typename Visit>
void CompiledRule::for_each_predicate(Visit visit) const {
    const auto visit_tests = [&](const PeerTests& tests) {
        for (const auto& test : tests) {
            for (const auto& predicate : test.predicates)
                visit(predicate.get());
        }
    };
    for (const auto& peer : peers)
        visit(peer.get());
    for (const auto& port : peer_ports)
        visit(port.get());
    for (const auto& tests : sources)
        visit_tests(tests);
    visit_tests(conditions);
}

} // namespace weir
