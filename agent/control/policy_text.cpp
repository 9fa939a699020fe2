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

const char* attribute_word(SourceMatch::Attribute attribute) {
    switch (attribute) {
        case SourceMatch::Attribute::kPrincipal:
            return "principal";
        case SourceMatch::Attribute::kNamespace:
            return "namespace";
        case SourceMatch::Attribute::kServiceAccount:
            return "service account";
        case SourceMatch::Attribute::kAddress:
            return "address";
    }
    return "";
}

std::string match_text(const TextMatch& match) {
    const std::string& text = match.text.get();
    switch (match.kind) {
        case TextMatch::Kind::kExact:
            return text;
        case TextMatch::Kind::kPrefix:
            return text + "*";
        case TextMatch::Kind::kSuffix:
            return "*" + text;
        case TextMatch::Kind::kPresent:
            return "*";
    }
    return text;
}

std::string alternatives(bool is_negated, const char* what, const std::vector<std::string>& words) {
    return fmt::format("{}{} {}", is_negated ? "not " : "", what, fmt::join(words, " or "));
}

std::string match_text(const DestinationMatch& match) {
    std::vector<std::string> words;
    for (const auto port : match.ports)
        words.push_back(std::to_string(port));
    if (!match.ports.empty()) return alternatives(match.is_negated, "port", words);
    for (const auto& block : match.addresses)
        words.push_back(block.to_string());
    return alternatives(match.is_negated, "own address", words);
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

std::string selection_text(const PodSelection& selection) {
    const std::string pods = "pods " + selector_text(selection.pods);
    if (selection.namespaces.requirements.empty()) return pods + " in all namespaces";
    return pods + " in namespaces " + selector_text(selection.namespaces);
}

std::string peer_text(const TierRule::Peer& peer) {
    if (const auto* pods = std::get_if<PodSelection>(&peer)) return selection_text(*pods);
    if (const auto* nodes = std::get_if<NodeSelection>(&peer)) {
        return "nodes " + selector_text(nodes->nodes);
    }
    return std::get<Cidr>(peer).to_string();
}

std::string source_text(const SourceMatch& match) {
    std::vector<std::string> words;
    for (const auto& text : match.texts)
        words.push_back(match_text(text));
    for (const auto& block : match.blocks)
        words.push_back(block.to_string());
    return alternatives(match.is_negated, attribute_word(match.attribute), words);
}

std::string source_text(const std::vector<SourceMatch>& source) {
    std::vector<std::string> words;
    for (const auto& match : source)
        words.push_back(source_text(match));
    return words.empty() ? "anyone" : fmt::format("{}", fmt::join(words, " and "));
}

std::string destination_text(const std::vector<DestinationMatch>& operation) {
    std::vector<std::string> words;
    for (const auto& match : operation)
        words.push_back(match_text(match));
    return words.empty() ? "any" : fmt::format("{}", fmt::join(words, " and "));
}

std::string peer_text(const Peer& peer) {
    if (peer.block) return block_text(*peer.block);
    std::string pods = "pods " + (peer.pods ? selector_text(*peer.pods) : "<all>");
    if (!peer.namespaces) return pods;
    return pods + " in namespaces " + selector_text(*peer.namespaces);
}

std::string port_range_text(std::uint8_t protocol, std::uint16_t first, std::uint16_t last) {
    const std::string name = protocol_name(protocol);
    if (first <= 1 && last == 65535) return name + " any port";
    if (first == last) return fmt::format("{} {}", name, first);
    return fmt::format("{} {}-{}", name, first, last);
}

std::string port_text(const Port& port) {
    if (const auto* name = std::get_if<Symbol>(&port.number)) {
        return protocol_name(port.protocol) + " " + name->get();
    }
    const auto range = std::get<PortRange>(port.number);
    return port_range_text(port.protocol, range.first, range.last);
}

const char* enforcement_word(Enforcement enforcement) {
    switch (enforcement) {
        case Enforcement::kEnforced:
            return "enforced";
        case Enforcement::kAudited:
            return "audit";
        case Enforcement::kDryRun:
            return "dry-run";
    }
    return "";
}

const char* action_word(TierAction action) {
    switch (action) {
        case TierAction::kAccept:
            return "Accept";
        case TierAction::kDeny:
            return "Deny";
        case TierAction::kPass:
            return "Pass";
    }
    return "";
}

} // namespace weir
