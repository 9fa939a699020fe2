// SPDX-License-Identifier: Apache-2.0
#include "policy/authorization_compiler.h"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

namespace weir {
namespace {

using Attribute = SourceMatch::Attribute;

KeyRanges all_tcp() {
    return {ports_of(IPPROTO_TCP, 0, 0xffff)};
}

bool asks_addresses(const DestinationMatch& match) {
    return match.ports.empty();
}

// TCP ports for which it holds at a subject that has these addresses.
KeyRanges ports_for(const DestinationMatch& match, std::span<const Address> subject) {
    KeyRanges ranges;
    for (const auto port : match.ports) {
        ranges.push_back(ports_of(IPPROTO_TCP, port, port));
    }
    const bool is_there = std::any_of(subject.begin(), subject.end(), [&](const Address& address) {
        return std::any_of(match.addresses.begin(), match.addresses.end(),
                           [&](const Cidr& block) { return block.contains(address); });
    });
    if (asks_addresses(match) && is_there) {
        ranges = all_tcp();
    }
    ranges = merged(std::move(ranges));
    return match.is_negated ? difference(all_tcp(), ranges) : ranges;
}

KeyRanges ports_for(const std::vector<DestinationMatch>& matches,
                    std::span<const Address> subject) {
    KeyRanges ranges = all_tcp();
    for (const auto& match : matches) {
        ranges = intersection(ranges, ports_for(match, subject));
    }
    return ranges;
}

// Rule.to: "If not set, any operation is allowed." One of the operations and all conditions hold.
KeyRanges ports_for(const AuthorizationRule& rule, std::span<const Address> subject) {
    KeyRanges operations = rule.operations.empty() ? all_tcp() : KeyRanges{};
    for (const auto& operation : rule.operations) {
        const auto ranges = ports_for(operation, subject);
        operations.insert(operations.end(), ranges.begin(), ranges.end());
    }
    return intersection(merged(std::move(operations)),
                        ports_for(rule.destination_conditions, subject));
}

bool asks_addresses(const AuthorizationRule& rule) {
    const auto any_asks = [](const std::vector<DestinationMatch>& matches) {
        return std::any_of(matches.begin(), matches.end(),
                           [](const DestinationMatch& match) { return asks_addresses(match); });
    };
    return any_asks(rule.destination_conditions) ||
           std::any_of(rule.operations.begin(), rule.operations.end(), any_asks);
}

} // namespace

AuthorizationCompiler::AuthorizationCompiler(PredicateSet& predicates, const Symbol& trust_domain)
    : predicates_(predicates),
      trust_domain_(trust_domain),
      all_v4_(predicates.intern(IpBlock{*Cidr::parse("0.0.0.0/0"), {}})),
      all_v6_(predicates.intern(IpBlock{*Cidr::parse("::/0"), {}})) {}

PeerTest AuthorizationCompiler::test_of(const SourceMatch& match) {
    PeerTest test;
    test.is_negated = match.is_negated;
    if (match.attribute == Attribute::kAddress) {
        for (const auto& block : match.blocks) {
            test.predicates.push_back(predicates_.intern(IpBlock{block, {}}));
        }
        return test;
    }
    for (const auto& text : match.texts) {
        IdentityPeer peer;
        peer.attribute = match.attribute;
        if (match.attribute == Attribute::kPrincipal) {
            peer.trust_domain = trust_domain_;
        }
        peer.text = text;
        test.predicates.push_back(predicates_.intern(std::move(peer)));
    }
    return test;
}

CompiledRule AuthorizationCompiler::compile(const AuthorizationRule& rule, bool is_deny) {
    CompiledRule compiled;
    compiled.action = is_deny ? ChainStep::Action::kDeny : ChainStep::Action::kAllow;
    compiled.is_any_peer = true;
    for (const auto& source : rule.sources) {
        auto& tests = compiled.sources.emplace_back();
        for (const auto& match : source) {
            tests.push_back(test_of(match));
        }
    }
    for (const auto& condition : rule.source_conditions) {
        compiled.conditions.push_back(test_of(condition));
    }
    if (!asks_addresses(rule)) {
        compiled.ports = ports_for(rule, {});
    }
    return compiled;
}

std::vector<AuthorizationCompiler::Part> AuthorizationCompiler::parts_for(
    const AuthorizationRule& rule, std::span<const Address> subject) const {
    if (!asks_addresses(rule)) {
        return {nullptr};
    }
    std::vector<Part> parts;
    for (const bool is_v4 : {true, false}) {
        std::vector<Address> own;
        std::copy_if(subject.begin(), subject.end(), std::back_inserter(own),
                     [&](const Address& address) { return address.is_v4() == is_v4; });
        parts.push_back(std::make_shared<SubjectPart>(
            SubjectPart{ports_for(rule, own), is_v4 ? all_v4_ : all_v6_}));
    }
    if (parts[0]->ports == parts[1]->ports) {
        return {std::make_shared<SubjectPart>(SubjectPart{parts[0]->ports, nullptr})};
    }
    std::erase_if(parts, [](const Part& part) { return part->ports.empty(); });
    return parts;
}

} // namespace weir
