// SPDX-License-Identifier: Apache-2.0
#include "policy/compiled_rule.h"

#include <algorithm>

namespace weir {
namespace {

bool holds_one(const std::vector<PredicatePtr>& predicates, const Signature& peer) {
    return std::any_of(predicates.begin(), predicates.end(),
                       [&](const auto& predicate) { return peer.has(predicate.get()); });
}

bool hold(const PeerTests& tests, const Signature& peer) {
    return std::all_of(tests.begin(), tests.end(),
                       [&](const PeerTest& test) { return test.holds(peer); });
}

} // namespace

bool PeerTest::holds(const Signature& peer) const {
    return holds_one(predicates, peer) != is_negated;
}

// NetworkPolicyIngressRule.from: "If this field is empty or missing, this rule matches all
// sources"; "Items in this list are combined using a logical OR operation."
bool CompiledRule::matches(const Signature& peer) const {
    return (is_any_peer || holds_one(peers, peer)) && holds_otherwise(peer);
}

bool CompiledRule::holds_otherwise(const Signature& peer) const {
    const bool is_source =
        sources.empty() || std::any_of(sources.begin(), sources.end(),
                                       [&](const auto& tests) { return hold(tests, peer); });
    return is_source && hold(conditions, peer);
}

std::vector<std::uint32_t> EffectiveRule::peer_ports(const Signature& peer) const {
    std::vector<std::uint32_t> keys;
    for (const auto& name : rule->peer_ports) {
        for (const auto& numbered : name->numbers) {
            if (peer.has(numbered.get())) {
                const auto& port = std::get<NamedPort>(numbered->question);
                keys.push_back(WEIR_PORT_KEY(port.protocol, port.number.value_or(0)));
            }
        }
    }
    return keys;
}

} // namespace weir
