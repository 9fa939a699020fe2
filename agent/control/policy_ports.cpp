// SPDX-License-Identifier: Apache-2.0
#include "agent/control/policy_ports.h"

#include <netinet/in.h>

namespace weir {
namespace {

template <typename Visitor>
void visit_ports(const Object& policy, Visitor&& visitor) {
    const auto each = [&visitor](const auto& rules) {
        for (const auto& rule : rules) {
            for (const auto& port : rule.ports)
                visitor(port);
        }
    };
    if (const auto* network = std::get_if<NetworkPolicy>(&policy)) {
        each(network->ingress);
        each(network->egress);
    } else if (const auto* tier = std::get_if<TierPolicy>(&policy)) {
        each(tier->ingress);
        each(tier->egress);
    }
}

template <typename Visitor>
void visit_destinations(const Object& policy, Visitor&& visitor) {
    const auto* authorization = std::get_if<AuthorizationPolicy>(&policy);
    if (authorization == nullptr) return;
    for (const auto& rule : authorization->rules) {
        for (const auto& operation : rule.operations) {
            for (const auto& match : operation)
                visitor(match);
        }
        for (const auto& match : rule.destination_conditions)
            visitor(match);
    }
}

template <typename Visitor>
void visit_selectors(const Object& policy, Visitor&& visitor) {
    const auto selection = [&visitor](const PodSelection& pods) {
        visitor(pods.pods);
        visitor(pods.namespaces);
    };
    if (const auto* network = std::get_if<NetworkPolicy>(&policy)) {
        visitor(network->subjects);
        for (const auto* rules : {&network->ingress, &network->egress}) {
            for (const auto& rule : *rules) {
                for (const auto& peer : rule.peers) {
                    if (peer.pods) visitor(*peer.pods);
                    if (peer.namespaces) visitor(*peer.namespaces);
                }
            }
        }
    } else if (const auto* tier = std::get_if<TierPolicy>(&policy)) {
        selection(tier->subjects);
        for (const auto* rules : {&tier->ingress, &tier->egress}) {
            for (const auto& rule : *rules) {
                for (const auto& peer : rule.peers) {
                    if (const auto* pods = std::get_if<PodSelection>(&peer)) selection(*pods);
                }
            }
        }
    } else if (const auto* authorization = std::get_if<AuthorizationPolicy>(&policy)) {
        visitor(authorization->subjects);
    }
}

} // namespace

void add_port_cuts(const Object& policy, const NamedPorts& names, std::set<std::uint32_t>& cuts) {
    const auto add = [&cuts](std::uint8_t protocol, std::uint16_t first, std::uint16_t last) {
        cuts.insert(WEIR_PORT_KEY(protocol, first));
        if (last != 65535) cuts.insert(WEIR_PORT_KEY(protocol, last + 1));
    };
    visit_ports(policy, [&](const Port& port) {
        if (const auto* range = std::get_if<PortRange>(&port.number)) {
            return add(port.protocol, range->first, range->last);
        }
        const auto named = names.find(std::get<Symbol>(port.number).get());
        if (named == names.end()) return;
        for (const auto key : named->second) {
            const auto number = static_cast<std::uint16_t>(key);
            if (key >> 16 == port.protocol) add(port.protocol, number, number);
        }
    });
    visit_destinations(policy, [&](const DestinationMatch& match) {
        for (const auto port : match.ports)
            add(IPPROTO_TCP, port, port);
    });
}

void add_label_keys(const Object& policy, std::set<std::string>& keys) {
    visit_selectors(policy, [&keys](const Selector& selector) {
        for (const auto& requirement : selector.requirements)
            keys.insert(requirement.key.get());
    });
}

void add_blocks(const Object& policy, std::set<Cidr>& blocks) {
    const auto add_source = [&blocks](const SourceMatch& match) {
        blocks.insert(match.blocks.begin(), match.blocks.end());
    };
    if (const auto* network = std::get_if<NetworkPolicy>(&policy)) {
        for (const auto* rules : {&network->ingress, &network->egress}) {
            for (const auto& rule : *rules) {
                for (const auto& peer : rule.peers) {
                    if (!peer.block) continue;
                    blocks.insert(peer.block->cidr);
                    blocks.insert(peer.block->except.begin(), peer.block->except.end());
                }
            }
        }
    } else if (const auto* tier = std::get_if<TierPolicy>(&policy)) {
        for (const auto* rules : {&tier->ingress, &tier->egress}) {
            for (const auto& rule : *rules) {
                for (const auto& peer : rule.peers) {
                    if (const auto* block = std::get_if<Cidr>(&peer)) blocks.insert(*block);
                }
            }
        }
    } else if (const auto* authorization = std::get_if<AuthorizationPolicy>(&policy)) {
        for (const auto& rule : authorization->rules) {
            for (const auto& source : rule.sources) {
                for (const auto& match : source)
                    add_source(match);
            }
            for (const auto& match : rule.source_conditions)
                add_source(match);
        }
        visit_destinations(policy, [&blocks](const DestinationMatch& match) {
            blocks.insert(match.addresses.begin(), match.addresses.end());
        });
    }
}

} // namespace weir
