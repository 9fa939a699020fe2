// SPDX-License-Identifier: Apache-2.0
#include "bench/workload.h"

#include <netinet/in.h>

#include <algorithm>
#include <string>

namespace weir::bench {
namespace {

constexpr std::uint32_t kPodsPerNamespace = 30;
constexpr std::uint32_t kPoliciesPerNamespace = 3;
constexpr std::uint32_t kPeerKinds = 5;

Label label(std::string key, std::string value) {
    return {Symbol(std::move(key)), Symbol(std::move(value))};
}

Selector selects(std::string key, std::string value) {
    return {
        {{Symbol(std::move(key)), LabelRequirement::Operator::kIn, {Symbol(std::move(value))}}}};
}

std::string number(const char* stem, std::uint32_t index) {
    return stem + std::to_string(index);
}

Address pod_address(std::uint32_t index, bool is_v6) {
    weir_address address{};
    if (is_v6) {
        address.words[0] = htonl(0xfd000010);
        address.words[3] = htonl(index + 1);
    } else {
        address.words[2] = htonl(0xffff);
        address.words[3] = htonl(0x0a800000 + index + 1);
    }
    return Address::from_abi(address);
}

} // namespace

Workload::Workload(const WorkloadSize& size, std::uint64_t seed) : size_(size), random_(seed) {
    const std::uint32_t count =
        std::max((size.pods + kPodsPerNamespace - 1) / kPodsPerNamespace,
                 (size.policies + kPoliciesPerNamespace - 1) / kPoliciesPerNamespace);
    for (std::uint32_t i = 0; i < count; i++) {
        Namespace ns;
        ns.name = Symbol(number("ns-", i));
        ns.labels = {label("kubernetes.io/metadata.name", number("ns-", i)),
                     label("team", number("team-", i % 20))};
        namespaces_.push_back(std::move(ns));
    }
    for (std::uint32_t i = 0; i < size.pods; i++)
        pods_.push_back(make_pod(i));
    for (std::uint32_t i = 0; i < size.policies; i++)
        policies_.push_back(make_policy(i));
    for (std::uint32_t i = 0; i < size.local_pods && i < size.pods; i++)
        local_.push_back(static_cast<std::uint32_t>(std::uint64_t{i} * size.pods /
                                                    std::max(size.local_pods, 1u)));
}

std::uint32_t Workload::draw(std::uint32_t bound) {
    return static_cast<std::uint32_t>(random_() % bound);
}

Pod Workload::make_pod(std::uint32_t index) {
    Pod pod;
    pod.name = {namespaces_[index / kPodsPerNamespace % namespaces_.size()].name,
                Symbol(number("pod-", index))};
    pod.node = Symbol("node-1");
    pod.labels = {label("app", number("app-", draw(30))), label("env", draw(2) ? "prod" : "test"),
                  label("pod-hash", number("h", index)), // unique: nobody selects by it
                  label("release", number("r", draw(5))), label("role", number("role-", draw(4))),
                  label("tier", number("tier-", draw(3)))};
    pod.addresses = {pod_address(index, false), pod_address(index, true)};
    pod.ports = {{Symbol("web"), 8080, IPPROTO_TCP}, {Symbol("metrics"), 9090, IPPROTO_TCP}};
    return pod;
}

Peer Workload::make_peer(std::uint32_t kind) {
    Peer peer;
    switch (kind) {
        case 0:
            peer.pods = selects("app", number("app-", draw(30)));
            break;
        case 1:
            peer.namespaces = selects("team", number("team-", draw(20)));
            break;
        case 2:
            peer.pods = selects("role", number("role-", draw(4)));
            peer.namespaces = selects("team", number("team-", draw(20)));
            break;
        case 3:
            peer.pods = Selector{};
            break;
        default: {
            const std::uint32_t block = draw(200);
            peer.block = IpBlock{*Cidr::parse(number("172.", 16 + block % 16) + "." +
                                              std::to_string(block) + ".0/24"),
                                 {*Cidr::parse(number("172.", 16 + block % 16) + "." +
                                               std::to_string(block) + ".128/25")}};
        }
    }
    return peer;
}

NetworkPolicy Workload::make_policy(std::uint32_t index) {
    NetworkPolicy policy;
    policy.name = {namespaces_[index / kPoliciesPerNamespace % namespaces_.size()].name,
                   Symbol(number("policy-", index))};
    if (draw(3)) policy.subjects = selects("tier", number("tier-", draw(3)));
    policy.isolates_ingress = true;
    policy.isolates_egress = draw(2) == 0;
    const auto rule = [&] {
        Rule made;
        made.peers = {make_peer(draw(kPeerKinds)), make_peer(draw(kPeerKinds))};
        const auto port = static_cast<std::uint16_t>(8000 + draw(100));
        made.ports = {{IPPROTO_TCP, PortRange{port, port}}, {IPPROTO_TCP, Symbol("web")}};
        return made;
    };
    policy.ingress = {rule(), rule()};
    if (policy.isolates_egress) policy.egress = {rule()};
    return policy;
}

Change Workload::everything() const {
    Change change;
    change.upserts.insert(change.upserts.end(), namespaces_.begin(), namespaces_.end());
    change.upserts.insert(change.upserts.end(), pods_.begin(), pods_.end());
    change.upserts.insert(change.upserts.end(), policies_.begin(), policies_.end());
    return change;
}

std::vector<LocalPod> Workload::local_pods() const {
    std::vector<LocalPod> pods;
    for (const std::uint32_t index : local_) {
        LocalPod local;
        local.slot = static_cast<std::uint32_t>(pods.size());
        local.pod = pods_[index].name;
        local.addresses = pods_[index].addresses;
        pods.push_back(std::move(local));
    }
    return pods;
}

Change Workload::next_pod_change() {
    Pod& pod = pods_[draw(size_.pods)];
    pod.labels[0] = label("app", number("app-", draw(30)));
    pod.labels[4] = label("role", number("role-", draw(4)));
    return {{pod}, {}};
}

// Some hundred addresses that no other policy sets apart in the same way.
Peer Workload::make_wide_peer() {
    Peer peer;
    peer.pods = selects("release", number("r", draw(5)));
    peer.pods->requirements.push_back(selects("env", draw(2) ? "prod" : "test").requirements[0]);
    peer.namespaces = selects("team", number("team-", draw(20)));
    peer.namespaces->requirements[0].values.push_back(Symbol(number("team-", draw(20))));
    peer.namespaces->requirements[0].values.push_back(Symbol(number("team-", draw(20))));
    return peer;
}

Change Workload::next_policy_change() {
    const Pod& local = pods_[local_[draw(static_cast<std::uint32_t>(local_.size()))]];
    std::vector<NetworkPolicy*> candidates;
    for (NetworkPolicy& policy : policies_) {
        if (policy.name.ns == local.name.ns) candidates.push_back(&policy);
    }
    if (candidates.empty()) return next_pod_change();
    NetworkPolicy& policy = *candidates[draw(static_cast<std::uint32_t>(candidates.size()))];
    const auto port = static_cast<std::uint16_t>(8000 + draw(100));
    policy.ingress[0].peers[0] = draw(2) ? make_wide_peer() : make_peer(draw(kPeerKinds));
    policy.ingress[0].ports[0].number = PortRange{port, port};
    return {{policy}, {}};
}

} // namespace weir::bench
