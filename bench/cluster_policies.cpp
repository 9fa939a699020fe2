// SPDX-License-Identifier: Apache-2.0
#include "bench/cluster_policies.h"

#include <netinet/in.h>

#include <string>
#include <vector>

namespace weir::bench {
namespace {

// The platform's namespaces are ordinary ones of the workload.
constexpr std::uint32_t kMonitoring = 0;
constexpr std::uint32_t kIngress = 1;
constexpr std::uint32_t kDns = 2;

using Peers = std::vector<TierRule::Peer>;
using Ports = std::vector<Port>;

Selector selects(const char* key, const Symbol& value) {
    return {{{Symbol(key), LabelRequirement::Operator::kIn, {value}}}};
}

TierRule::Peer namespaces(Selector selector) {
    return PodSelection{std::move(selector), {}};
}
TierRule::Peer of_namespace(std::uint32_t index) {
    return namespaces(selects("kubernetes.io/metadata.name", namespace_name(index)));
}
TierRule::Peer of_team(std::uint32_t index) {
    return namespaces(selects("team", team_name(index)));
}

Port port(std::uint8_t protocol, std::uint16_t number) {
    return {protocol, PortRange{number, number}};
}

TierRule rule(const char* name, TierAction action, Peers peers, Ports ports = {}) {
    TierRule made;
    made.name = Symbol(name);
    made.action = action;
    made.peers = std::move(peers);
    made.ports = std::move(ports);
    return made;
}

TierPolicy policy(std::uint32_t index, Tier tier, Selector subjects = {}) {
    TierPolicy made;
    made.name.name = Symbol("tier-" + std::to_string(index));
    made.tier = tier;
    made.priority = static_cast<std::uint16_t>(10 * index);
    made.subjects.namespaces = std::move(subjects);
    return made;
}

TierRule::Peer network(std::uint32_t number) {
    return *Cidr::parse("100." + std::to_string(64 + number % 64) + ".0.0/16");
}

// What guards the platform, for all pods.
TierPolicy platform_policy(std::uint32_t index, std::uint32_t version) {
    auto made = policy(index, Tier::kAdmin);
    switch (index) {
        case 0:
            made.egress = {rule("dns", TierAction::kAccept, {of_namespace(kDns)},
                                {port(IPPROTO_UDP, 53), port(IPPROTO_TCP, 53)})};
            break;
        case 1:
            made.ingress = {rule("scrape", TierAction::kAccept, {of_namespace(kMonitoring)},
                                 {{IPPROTO_TCP, Symbol("metrics")}})};
            break;
        case 2:
            made.ingress = {rule("ingress-controller", TierAction::kPass, {of_namespace(kIngress)},
                                 {port(IPPROTO_TCP, static_cast<std::uint16_t>(8000 + version))})};
            break;
        case 3:
            made.egress = {
                rule("metadata", TierAction::kDeny, {*Cidr::parse("169.254.169.254/32")})};
            break;
        case 4:
            made.egress = {
                rule("kubelet", TierAction::kDeny, {NodeSelection{}}, {port(IPPROTO_TCP, 10250)})};
            break;
        case 5:
            made.ingress = {rule("databases", TierAction::kDeny,
                                 {PodSelection{{}, selects("env", Symbol("test"))}},
                                 {port(IPPROTO_TCP, 5432)})};
            break;
        default: // forbidden networks
            made.egress = {rule("networks", TierAction::kDeny,
                                {network(2 * index + version), network(2 * index + 1)})};
    }
    return made;
}

// Tenants: within a team the developers decide, and what they leave open stays in the stage.
TierPolicy tenant_policy(std::uint32_t index, std::uint32_t version) {
    const auto team = index % kTeams;
    auto made = policy(index, Tier::kAdmin, selects("team", team_name(team)));
    made.ingress = {rule("team", TierAction::kPass, {of_team(team)}),
                    rule("test", TierAction::kDeny, {namespaces(selects("stage", Symbol("test")))},
                         {port(IPPROTO_TCP, static_cast<std::uint16_t>(9000 + version))})};
    return made;
}

TierPolicy baseline_policy(std::uint32_t index, std::uint32_t version) {
    const auto team = index % kTeams;
    auto made = policy(index, Tier::kBaseline, selects("team", team_name(team)));
    made.ingress = {
        rule("team", TierAction::kAccept, {of_team(team), of_team((team + 1) % kTeams)}),
        rule("others", TierAction::kDeny, {namespaces({})})};
    made.egress = {rule("networks", TierAction::kDeny, {network(2 * index + version)})};
    return made;
}

SourceMatch source(SourceMatch::Attribute attribute, std::vector<std::string> texts,
                   TextMatch::Kind kind = TextMatch::Kind::kExact) {
    SourceMatch made;
    made.attribute = attribute;
    for (auto& text : texts)
        made.texts.push_back({kind, Symbol(std::move(text))});
    return made;
}

} // namespace

Symbol namespace_name(std::uint32_t index) {
    return Symbol("ns-" + std::to_string(index));
}
Symbol team_name(std::uint32_t index) {
    return Symbol("team-" + std::to_string(index));
}

TierPolicy tier_policy(std::uint32_t index, std::uint32_t version) {
    if (index < 10) return platform_policy(index, version);
    return index < 20 ? tenant_policy(index, version) : baseline_policy(index, version);
}

AuthorizationPolicy authorization_policy(std::uint32_t ns, std::uint32_t index,
                                         std::uint32_t namespaces, std::uint32_t version) {
    using enum SourceMatch::Attribute;
    AuthorizationPolicy policy;
    policy.name = {namespace_name(ns), Symbol("identity-" + std::to_string(index))};
    const auto other = (ns + 7 + version) % namespaces;
    const auto account = "cluster.local/ns/" + namespace_name(other).get() + "/sa/sa-" +
                         std::to_string((index + version) % kServiceAccounts);
    AuthorizationRule friends;
    friends.sources = {{source(kNamespace, {policy.name.ns.get(), namespace_name(kIngress).get()})},
                       {source(kPrincipal, {account})}};
    AuthorizationRule metrics;
    metrics.index = 1;
    metrics.sources = {{source(kNamespace, {namespace_name(kMonitoring).get()})}};
    metrics.operations = {{DestinationMatch{false, {9090}, {}}}};
    policy.rules = {friends, metrics};
    return policy;
}

AuthorizationPolicy root_authorization() {
    AuthorizationPolicy policy;
    policy.name = {Symbol("istio-system"), Symbol("guard")};
    policy.is_deny = true;
    AuthorizationRule rule;
    auto outside = source(SourceMatch::Attribute::kNamespace, {"ns-"}, TextMatch::Kind::kPrefix);
    outside.is_negated = true;
    rule.sources = {{outside}};
    rule.operations = {{DestinationMatch{false, {15000, 15020}, {}}}};
    policy.rules = {rule};
    return policy;
}

} // namespace weir::bench
