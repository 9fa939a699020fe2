// SPDX-License-Identifier: Apache-2.0
// Random AuthorizationPolicies, whose texts match some of the workloads that RandomCluster makes.
#include <array>

#include "tests/policy/random_cluster.h"

namespace weir::test {
namespace {

using Attribute = SourceMatch::Attribute;

// Whole values; pieces of them serve as prefixes and suffixes.
const std::vector<std::string> kPrincipals{
    "cluster.local/ns/x/sa/default", "cluster.local/ns/x/sa/web", "cluster.local/ns/y/sa/web-admin",
    "cluster.local/ns/z/sa/web", "example.org/ns/x/sa/web"};
const std::vector<std::string> kNamespaceTexts{"x", "y", "z", "w"};
const std::vector<std::string> kAccountTexts{"x/default", "x/web", "y/web", "y/web-admin",
                                             "z/default"};
const std::vector<std::string> kPolicyNamespaces{"x", "y", "z", "istio-system"};
const std::vector<std::string> kPolicyNames{"p", "q"};

const std::vector<std::string>& values_of(Attribute attribute) {
    if (attribute == Attribute::kPrincipal) return kPrincipals;
    return attribute == Attribute::kNamespace ? kNamespaceTexts : kAccountTexts;
}

} // namespace

TextMatch RandomCluster::text_match(Attribute attribute) {
    const auto value = pick(values_of(attribute));
    const auto cut = below(value.size() + 1);
    switch (below(6)) {
        case 0:
            return {TextMatch::Kind::kPrefix, Symbol(value.substr(0, cut))};
        case 1:
            return {TextMatch::Kind::kSuffix, Symbol(value.substr(cut))};
        case 2:
            return {TextMatch::Kind::kPresent, Symbol()};
        default:
            return {TextMatch::Kind::kExact, Symbol(value)};
    }
}

SourceMatch RandomCluster::source_match() {
    SourceMatch result;
    result.attribute = static_cast<Attribute>(below(4));
    result.is_negated = chance(30);
    for (auto count = 1 + below(2); count > 0; --count) {
        if (result.attribute == Attribute::kAddress) {
            result.blocks.push_back(network());
        } else {
            result.texts.push_back(text_match(result.attribute));
        }
    }
    return result;
}

DestinationMatch RandomCluster::destination_match() {
    constexpr std::array<std::uint16_t, 4> kPorts{80, 81, 443, 444};
    DestinationMatch result;
    result.is_negated = chance(30);
    const bool is_address = chance(25);
    for (auto count = 1 + below(2); count > 0; --count) {
        if (is_address) {
            result.addresses.push_back(network());
        } else {
            result.ports.push_back(kPorts[below(kPorts.size())]);
        }
    }
    return result;
}

AuthorizationRule RandomCluster::authorization_rule(std::uint32_t index) {
    AuthorizationRule result;
    result.index = index;
    for (auto count = below(3); count > 0; --count) {
        auto& source = result.sources.emplace_back();
        for (auto fields = 1 + below(2); fields > 0; --fields) {
            source.push_back(source_match());
        }
    }
    for (auto count = below(3); count > 0; --count) {
        auto& operation = result.operations.emplace_back();
        for (auto fields = 1 + below(2); fields > 0; --fields) {
            operation.push_back(destination_match());
        }
    }
    if (chance(20)) result.source_conditions.push_back(source_match());
    if (chance(20)) result.destination_conditions.push_back(destination_match());
    return result;
}

// A decoder may have left rules out: indices count up, with gaps.
AuthorizationPolicy RandomCluster::authorization() {
    AuthorizationPolicy result;
    result.name = ObjectName{Symbol(pick(kPolicyNamespaces)), Symbol(pick(kPolicyNames))};
    result.subjects = chance(50) ? Selector{} : selector();
    result.is_deny = chance(50);
    std::uint32_t index = 0;
    for (auto count = below(3); count > 0; --count) {
        index += static_cast<std::uint32_t>(below(2));
        result.rules.push_back(authorization_rule(index++));
    }
    result.enforcement = enforcement();
    return result;
}

} // namespace weir::test
