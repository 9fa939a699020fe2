// SPDX-License-Identifier: Apache-2.0
#include "tests/support/naive_authorization.h"

#include <algorithm>
#include <optional>
#include <string>

#include "tests/support/naive_world.h"

namespace weir::test {
namespace {

bool matches(const TextMatch& match, const std::string& value) {
    const auto& text = match.text.get();
    switch (match.kind) {
        case TextMatch::Kind::kExact:
            return value == text;
        case TextMatch::Kind::kPrefix:
            return value.starts_with(text);
        case TextMatch::Kind::kSuffix:
            return value.ends_with(text);
        case TextMatch::Kind::kPresent: // "will match when value is not empty"
            return !value.empty();
    }
    return false;
}

std::optional<std::string> attribute_of(const Pod* pod, SourceMatch::Attribute attribute) {
    if (pod == nullptr) {
        return std::nullopt;
    }
    const auto& ns = pod->name.ns.get();
    const auto& named = pod->service_account.get();
    const auto account = named.empty() ? std::string("default") : named;
    switch (attribute) {
        case SourceMatch::Attribute::kPrincipal:
            return "cluster.local/ns/" + ns + "/sa/" + account;
        case SourceMatch::Attribute::kNamespace:
            return ns;
        case SourceMatch::Attribute::kServiceAccount:
            return ns + "/" + account;
        case SourceMatch::Attribute::kAddress:
            break;
    }
    return std::nullopt;
}

bool matches(const SourceMatch& match, const NaiveConnection& connection) {
    bool is_one = false;
    if (match.attribute == SourceMatch::Attribute::kAddress) {
        is_one = std::any_of(match.blocks.begin(), match.blocks.end(),
                             [&](const Cidr& block) { return block.contains(connection.source); });
    } else if (const auto value = attribute_of(connection.source_pod, match.attribute)) {
        is_one = std::any_of(match.texts.begin(), match.texts.end(),
                             [&](const TextMatch& text) { return matches(text, *value); });
    }
    return is_one != match.is_negated;
}

// The connection is to the server's address of its own family.
bool matches(const DestinationMatch& match, const NaiveConnection& connection) {
    const auto is_served = [&](const Cidr& block) {
        const auto& addresses = connection.server->addresses;
        return std::any_of(addresses.begin(), addresses.end(), [&](const Address& address) {
            return address.is_v4() == connection.source.is_v4() && block.contains(address);
        });
    };
    const bool is_one = match.ports.empty()
                            ? std::any_of(match.addresses.begin(), match.addresses.end(), is_served)
                            : std::find(match.ports.begin(), match.ports.end(), connection.port) !=
                                  match.ports.end();
    return is_one != match.is_negated;
}

template <typename Match>
bool all_match(const std::vector<Match>& conjunction, const NaiveConnection& connection) {
    return std::all_of(conjunction.begin(), conjunction.end(),
                       [&](const Match& match) { return matches(match, connection); });
}

// One of the conjunctions; where there is none, anything goes.
template <typename Match>
bool any_matches(const std::vector<std::vector<Match>>& alternatives,
                 const NaiveConnection& connection) {
    return alternatives.empty() ||
           std::any_of(alternatives.begin(), alternatives.end(),
                       [&](const auto& one) { return all_match(one, connection); });
}

} // namespace

bool is_for(const AuthorizationPolicy& policy, const Pod& workload) {
    // "If set to root namespace, the policy applies to all namespaces in a mesh."
    const bool is_namespace =
        policy.name.ns == workload.name.ns || policy.name.ns.get() == "istio-system";
    return is_namespace && selects(policy.subjects, workload.labels);
}

// "A match occurs when at least one source, one operation and all conditions matches the request."
bool matches(const AuthorizationRule& rule, const NaiveConnection& connection) {
    return any_matches(rule.sources, connection) && any_matches(rule.operations, connection) &&
           all_match(rule.source_conditions, connection) &&
           all_match(rule.destination_conditions, connection);
}

} // namespace weir::test
