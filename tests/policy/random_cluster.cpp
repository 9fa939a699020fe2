// SPDX-License-Identifier: Apache-2.0
#include "tests/policy/random_cluster.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "tests/support/cluster.h"

namespace weir::test {
namespace {

const std::vector<std::string> kNamespaces{"x", "y", "z"};
const std::vector<std::string> kPods{"a", "b", "c", "d"};
const std::vector<std::string> kKeys{"app", "tier", "team"};
const std::vector<std::string> kValues{"1", "2"};
const std::vector<std::string> kPortNames{"http", "dns"};
const std::vector<std::string> kPolicies{"p", "q", "r"};
const std::vector<std::string> kNodes{"n1", "n2", "n3"};
const std::vector<std::string> kAccounts{"", "default", "web", "web-admin"};
const std::vector<std::string> kPodAddresses{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.1",
                                             "10.0.1.2", "fd00::1",  "fd00::2",  "fd00::1:1"};
// Of nodes; 10.0.1.2 is a pod's, too.
const std::vector<std::string> kNodeAddresses{"172.18.0.1", "172.18.0.2", "fd00:18::1", "10.0.1.2"};
const std::vector<std::string> kOthers{
    "10.0.0.9",     "10.0.1.200", "10.9.0.1",    "192.168.15.1", "192.168.0.1",    "8.8.8.8",
    "fd00::1:ffff", "fd00:1::1",  "2001:db8::1", "0.0.0.0",      "255.255.255.255"};
const std::vector<std::string> kBlocks{
    "10.0.0.0/16",     "10.0.0.0/24", "10.0.1.0/24",  "0.0.0.0/0",  "192.168.0.0/16",
    "192.168.15.0/24", "::/0",        "fd00::/16",    "fd00::/112", "10.0.0.1/32",
    "::/64",           "fd00::1/128", "172.18.0.0/31"};
constexpr std::array<std::uint16_t, 3> kPorts{80, 81, 443};
constexpr std::array<std::uint8_t, 3> kProtocols{IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

} // namespace

std::vector<Address> RandomCluster::addresses() {
    std::vector<Address> result;
    for (const auto* texts : {&kPodAddresses, &kNodeAddresses, &kOthers}) {
        for (const auto& text : *texts) {
            result.push_back(address(text));
        }
    }
    std::sort(result.begin(), result.end());
    result.erase(std::unique(result.begin(), result.end()), result.end());
    return result;
}

Labels RandomCluster::labels() {
    std::vector<LabelText> texts;
    for (const auto& key : kKeys) {
        if (chance(60)) {
            texts.emplace_back(key, pick(kValues));
        }
    }
    return test::labels(std::move(texts));
}

Selector RandomCluster::selector() {
    Selector result;
    while (chance(55)) {
        LabelRequirement one{
            Symbol(pick(kKeys)), static_cast<LabelRequirement::Operator>(below(4)), {}};
        if (one.op == LabelRequirement::Operator::kIn ||
            one.op == LabelRequirement::Operator::kNotIn) {
            one.values.emplace_back(pick(kValues));
            if (chance(30)) {
                one.values.emplace_back(pick(kValues));
            }
        }
        result.requirements.push_back(std::move(one));
    }
    return result;
}

Cidr RandomCluster::network() {
    return cidr(pick(kBlocks));
}

IpBlock RandomCluster::block() {
    IpBlock result{network(), {}};
    for (unsigned tries = 0; tries < 4; ++tries) {
        const auto inner = network();
        if (inner != result.cidr && result.cidr.contains(inner)) {
            result.except.push_back(inner);
        }
    }
    return result;
}

Peer RandomCluster::peer() {
    switch (below(4)) {
        case 0:
            return pods(selector());
        case 1:
            return namespaces(selector());
        case 2:
            return pods_in(selector(), selector());
        default:
            return Peer{std::nullopt, std::nullopt, block()};
    }
}

Port RandomCluster::port() {
    const auto protocol = kProtocols[below(kProtocols.size())];
    switch (below(4)) {
        case 0:
            return Port{protocol, PortRange{}};
        case 1:
            return Port{protocol, PortRange{80, 81}};
        case 2: {
            const auto number = kPorts[below(kPorts.size())];
            return Port{protocol, PortRange{number, number}};
        }
        default:
            return Port{protocol, Symbol(pick(kPortNames))};
    }
}

Rule RandomCluster::rule() {
    Rule result;
    for (auto peers = below(3); peers > 0; --peers) {
        result.peers.push_back(peer());
    }
    for (auto ports = below(3); ports > 0; --ports) {
        result.ports.push_back(port());
    }
    return result;
}

ObjectName RandomCluster::pod_name() {
    return ObjectName{Symbol(pick(kNamespaces)), Symbol(pick(kPods))};
}

Address RandomCluster::pod_address() {
    return address(pick(kPodAddresses));
}

Namespace RandomCluster::ns() {
    Namespace result{Symbol(pick(kNamespaces)), labels(), knows_all_kinds_ && chance(10), Origin{}};
    const Label own{Symbol("kubernetes.io/metadata.name"), result.name};
    const auto is_before = [](const Label& a, const Label& b) { return a.key.get() < b.key.get(); };
    result.labels.insert(
        std::upper_bound(result.labels.begin(), result.labels.end(), own, is_before), own);
    return result;
}

Pod RandomCluster::pod() {
    Pod result;
    result.name = pod_name();
    result.labels = labels();
    for (auto count = below(3); count > 0; --count) {
        result.addresses.push_back(pod_address());
    }
    for (auto count = below(3); count > 0; --count) {
        result.ports.push_back(ContainerPort{Symbol(chance(20) ? "" : pick(kPortNames)),
                                             kPorts[below(kPorts.size())],
                                             kProtocols[below(kProtocols.size())]});
    }
    result.service_account = Symbol(pick(kAccounts));
    result.is_host_network = chance(5);
    result.is_terminated = chance(8);
    return result;
}

NetworkPolicy RandomCluster::policy() {
    NetworkPolicy result;
    result.name = ObjectName{Symbol(pick(kNamespaces)), Symbol(pick(kPolicies))};
    result.subjects = chance(40) ? Selector{} : selector();
    result.isolates_ingress = chance(80);
    result.isolates_egress = !result.isolates_ingress || chance(50);
    for (auto count = below(3); result.isolates_ingress && count > 0; --count) {
        result.ingress.push_back(rule());
    }
    for (auto count = below(3); result.isolates_egress && count > 0; --count) {
        result.egress.push_back(rule());
    }
    result.enforcement = enforcement();
    return result;
}

Node RandomCluster::node() {
    Node result{Symbol(pick(kNodes)), labels(), {}, Origin{}};
    for (auto count = below(3); count > 0; --count) {
        result.addresses.push_back(address(pick(kNodeAddresses)));
    }
    return result;
}

Enforcement RandomCluster::enforcement() {
    if (!knows_all_kinds_ || chance(80)) return Enforcement::kEnforced;
    return chance(60) ? Enforcement::kAudited : Enforcement::kDryRun;
}

PodSelection RandomCluster::selection() {
    return PodSelection{chance(40) ? Selector{} : selector(), chance(60) ? Selector{} : selector()};
}

TierRule RandomCluster::tier_rule() {
    TierRule result;
    result.action = static_cast<TierAction>(below(3));
    result.is_any_peer = chance(5);
    for (auto peers = below(3); peers > 0; --peers) {
        switch (below(4)) {
            case 0:
                result.peers.emplace_back(NodeSelection{chance(40) ? Selector{} : selector()});
                break;
            case 1:
                result.peers.emplace_back(network());
                break;
            default:
                result.peers.emplace_back(selection());
        }
    }
    for (auto ports = below(3); ports > 0; --ports) {
        result.ports.push_back(port());
    }
    return result;
}

TierPolicy RandomCluster::tier_policy() {
    TierPolicy result;
    result.api = static_cast<TierPolicy::Api>(below(3));
    result.name.name = Symbol(pick(kPolicies));
    result.tier = chance(50) ? Tier::kAdmin : Tier::kBaseline;
    result.priority = static_cast<std::uint16_t>(below(3));
    if (result.api == TierPolicy::Api::kAdminNetworkPolicy) result.tier = Tier::kAdmin;
    if (result.api == TierPolicy::Api::kBaselineAdminNetworkPolicy) {
        result.tier = Tier::kBaseline;
        result.priority = 0;
    }
    result.subjects = selection();
    for (auto count = below(4); count > 0; --count) {
        result.ingress.push_back(tier_rule());
    }
    for (auto count = below(4); count > 0; --count) {
        result.egress.push_back(tier_rule());
    }
    result.enforcement = enforcement();
    return result;
}

Kind RandomCluster::kind() {
    const auto choice = below(100);
    if (choice < 13) return Kind::kNamespace;
    if (choice < 48) return Kind::kPod;
    if (choice < 65 || !knows_all_kinds_) return Kind::kNetworkPolicy;
    if (choice < 71) return Kind::kNode;
    return choice < 86 ? Kind::kClusterNetworkPolicy : Kind::kAuthorizationPolicy;
}

Object RandomCluster::object() {
    switch (kind()) {
        case Kind::kNamespace:
            return ns();
        case Kind::kPod:
            return pod();
        case Kind::kNode:
            return node();
        case Kind::kNetworkPolicy:
            return policy();
        case Kind::kAuthorizationPolicy:
            return authorization();
        default:
            return tier_policy();
    }
}

ObjectKey RandomCluster::key() {
    return key_of(object());
}

Change RandomCluster::change(std::size_t objects) {
    Change result;
    for (; objects > 0; --objects) {
        if (chance(25)) {
            result.erasures.push_back(key());
        } else {
            result.upserts.push_back(object());
        }
    }
    return result;
}

LocalPod RandomCluster::local() {
    LocalPod result{static_cast<std::uint32_t>(below(kSlots)), pod_name(), {}};
    for (auto count = below(3); count > 0; --count) {
        result.addresses.push_back(pod_address());
    }
    return result;
}

} // namespace weir::test
