// SPDX-License-Identifier: Apache-2.0
#include "agent/control/policy_text.h"

#include <fmt/format.h>

#include <vector>

#include "agent/flow/flow_record.h"

namespace weir {
namespace {

std::string values_text(const std::vector<Symbol>& values) {
    std::vector<std::string> words;
    for (const auto& value : values)
        words.push_back(value.get());
    return fmt::format("{}", fmt::join(words, ","));
}

std::string requirement_text(const LabelRequirement& requirement) {
    const std::string& key = requirement.key.get();
    const std::string values = values_text(requirement.values);
    switch (requirement.op) {
        case LabelRequirement::Operator::kIn:
            return requirement.values.size() == 1 ? key + "=" + values
                                                  : key + " in (" + values + ")";
        case LabelRequirement::Operator::kNotIn:
            return key + " notin (" + values + ")";
        case LabelRequirement::Operator::kExists:
            return key;
        case LabelRequirement::Operator::kDoesNotExist:
            return "!" + key;
    }
    return key;
}

std::string block_text(const IpBlock& block) {
    std::vector<std::string> except;
    for (const auto& cidr : block.except)
        except.push_back(cidr.to_string());
    if (except.empty()) return block.cidr.to_string();
    return fmt::format("{} except {}", block.cidr.to_string(), fmt::join(except, ", "));
}

} // namespace

std::string selector_text(const Selector& selector) {
    if (selector.requirements.empty()) return "<all>";
    std::vector<std::string> words;
    for (const auto& requirement : selector.requirements) {
        words.push_back(requirement_text(requirement));
    }
    return fmt::format("{}", fmt::join(words, ","));
}

std::string peer_text(const Peer& peer) {
    if (peer.block) return block_text(*peer.block);
    std::string pods = "pods " + (peer.pods ? selector_text(*peer.pods) : "<all>");
    if (!peer.namespaces) return pods;
    return pods + " in namespaces " + selector_text(*peer.namespaces);
}

std::string port_text(const Port& port) {
    const std::string protocol = protocol_name(port.protocol);
    if (const auto* name = std::get_if<Symbol>(&port.number)) return protocol + " " + name->get();
    const auto range = std::get<PortRange>(port.number);
    if (range.first <= 1 && range.last == 65535) return protocol + " any port";
    if (range.first == range.last) return fmt::format("{} {}", protocol, range.first);
    return fmt::format("{} {}-{}", protocol, range.first, range.last);
}

} // namespace weir
