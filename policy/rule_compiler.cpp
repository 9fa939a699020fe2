// SPDX-License-Identifier: Apache-2.0
#include "policy/rule_compiler.h"

#include <algorithm>
#include <utility>

#include "policy/selector.h"

namespace weir {
namespace {

IpBlock canonical(IpBlock block) {
    std::erase_if(block.except, [&](const Cidr& except) { return !block.cidr.contains(except); });
    std::sort(block.except.begin(), block.except.end());
    return block;
}

// NetworkPolicyIngressRule.ports: "If this field is empty or missing, this rule matches all ports
// (traffic not restricted by port)."
void compile_ports(const std::vector<Port>& ports, weir_direction direction,
                   PredicateSet& predicates, CompiledRule& compiled) {
    compiled.is_any_port = ports.empty();
    for (const auto& port : ports) {
        if (const auto* range = std::get_if<PortRange>(&port.number)) {
            compiled.ports.push_back(ports_of(port.protocol, range->first, range->last));
            continue;
        }
        NamedPort name{std::get<Symbol>(port.number), port.protocol, std::nullopt};
        if (direction == WEIR_INGRESS) {
            compiled.subject_ports.push_back(std::move(name));
        } else {
            compiled.peer_ports.push_back(predicates.intern(std::move(name)));
        }
    }
    compiled.ports = merged(std::move(compiled.ports));
}

Predicate::Question question_of(const TierRule::Peer& peer) {
    if (const auto* pods = std::get_if<PodSelection>(&peer)) {
        return PodPeer{std::nullopt, canonical(pods->namespaces), canonical(pods->pods)};
    }
    if (const auto* nodes = std::get_if<NodeSelection>(&peer)) {
        return NodePeer{canonical(nodes->nodes)};
    }
    return IpBlock{std::get<Cidr>(peer), {}};
}

ChainStep::Action action_of(TierAction action) {
    switch (action) {
        case TierAction::kAccept:
            return ChainStep::Action::kAllow;
        case TierAction::kPass:
            return ChainStep::Action::kPass;
        case TierAction::kDeny:
            break;
    }
    return ChainStep::Action::kDeny;
}

} // namespace

CompiledRule compile_rule(const Rule& rule, const Symbol& ns, weir_direction direction,
                          PredicateSet& predicates) {
    CompiledRule compiled;
    compiled.is_any_peer = rule.peers.empty();
    for (const auto& peer : rule.peers) {
        if (peer.block) {
            compiled.peers.push_back(predicates.intern(canonical(*peer.block)));
        } else if (peer.pods || peer.namespaces) {
            // NetworkPolicyPeer.podSelector: "Otherwise it selects the pods matching podSelector in
            // the policy's own namespace."
            PodPeer pods;
            if (peer.namespaces) {
                pods.namespaces = canonical(*peer.namespaces);
            } else {
                pods.ns = ns;
            }
            pods.pods = canonical(peer.pods.value_or(Selector{}));
            compiled.peers.push_back(predicates.intern(std::move(pods)));
        }
    }
    compile_ports(rule.ports, direction, predicates, compiled);
    return compiled;
}

CompiledRule compile_rule(const TierRule& rule, weir_direction direction,
                          PredicateSet& predicates) {
    CompiledRule compiled;
    compiled.action = action_of(rule.action);
    compiled.is_any_peer = rule.is_any_peer;
    for (const auto& peer : rule.peers) {
        compiled.peers.push_back(predicates.intern(question_of(peer)));
    }
    compile_ports(rule.ports, direction, predicates, compiled);
    return compiled;
}

} // namespace weir
