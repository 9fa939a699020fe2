// SPDX-License-Identifier: Apache-2.0
#include "bench/workload.h"

#include <netinet/in.h>

#include <algorithm>
#include <string>

#include "bench/cluster_policies.h"

namespace weir::bench {
namespace {

constexpr std::uint32_t kPodsPerNamespace = 30;
constexpr std::uint32_t kPodsPerNode = 30;
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

Node make_node(std::uint32_t index) {
    weir_address address{};
    address.words[2] = htonl(0xffff);
    address.words[3] = htonl(0x0a000000 + index + 1);
    Node node;
    node.name = Symbol(number("node-", index + 1));
    node.labels = {{Symbol("kubernetes.io/hostname"), node.name}};
    node.addresses = {Address::from_abi(address)};
    return node;
}

} // namespace

Workload::Workload(const WorkloadSize& size, std::uint64_t seed) : size_(size), random_(seed) {
    const std::uint32_t count = (size.pods + kPodsPerNamespace - 1) / kPodsPerNamespace;
    for (std::uint32_t i = 0; i < count; i++) {
        Namespace ns;
        ns.name = namespace_name(i);
        ns.labels = {{Symbol("kubernetes.io/metadata.name"), ns.name}};
        if (size.is_large()) ns.labels.push_back(label("stage", i / kTeams % 4 ? "prod" : "test"));
        ns.labels.push_back({Symbol("team"), team_name(i % kTeams)});
        namespaces_.push_back(std::move(ns));
    }
    for (std::uint32_t i = 0; i < size.pods; i++)
        pods_.push_back(make_pod(i));
    const std::uint32_t network_policies = size.policies - size.tiers - size.authorizations;
    const std::uint32_t each = (network_policies + count - 1) / count;
    for (std::uint32_t i = 0; i < network_policies; i++)
        policies_.push_back(make_policy(i, i / each));
    for (std::uint32_t i = 0; i < size.tiers; i++)
        tiers_.push_back(tier_policy(i));
    for (std::uint32_t i = 0; i < size.authorizations; i++)
        authorizations_.push_back(authorization_policy(i % count, i / count, count));
    if (size.authorizations != 0) authorizations_.push_back(root_authorization());
    for (std::uint32_t i = 0; size.is_large() && i < size.pods / kPodsPerNode; i++)
        nodes_.push_back(make_node(i));
    last_address_ = size.pods;
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
    if (size_.is_large()) pod.service_account = Symbol(number("sa-", index % kServiceAccounts));
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

NetworkPolicy Workload::make_policy(std::uint32_t index, std::uint32_t ns) {
    NetworkPolicy policy;
    policy.name = {namespaces_[ns].name, Symbol(number("policy-", index))};
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
    change.upserts.insert(change.upserts.end(), nodes_.begin(), nodes_.end());
    change.upserts.insert(change.upserts.end(), tiers_.begin(), tiers_.end());
    change.upserts.insert(change.upserts.end(), authorizations_.begin(), authorizations_.end());
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
    relabel(pod);
    return {{pod}, {}};
}

void Workload::relabel(Pod& pod) {
    pod.labels[0] = label("app", number("app-", draw(30)));
    pod.labels[4] = label("role", number("role-", draw(4)));
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

std::uint32_t Workload::local_namespace() {
    const std::uint32_t local = local_[draw(static_cast<std::uint32_t>(local_.size()))];
    return local / kPodsPerNamespace;
}

Change Workload::next_namespace_change() {
    Namespace& ns = namespaces_[draw(static_cast<std::uint32_t>(namespaces_.size()))];
    ns.labels.back().value = team_name(draw(kTeams));
    return {{ns}, {}};
}

Change Workload::next_tier_change() {
    const std::uint32_t index = draw(static_cast<std::uint32_t>(tiers_.size()));
    tiers_[index] = tier_policy(index, ++changes_ % 64);
    return {{tiers_[index]}, {}};
}

Change Workload::next_authorization_change() {
    const auto namespaces = static_cast<std::uint32_t>(namespaces_.size());
    const auto policy = authorization_policy(local_namespace(), 0, namespaces, ++changes_);
    return {{policy}, {}};
}

Change Workload::next_churn() {
    const std::uint32_t kind = draw(4);
    if (kind == 0 && gone_.size() < size_.pods / 100) {
        const std::uint32_t index = draw(size_.pods);
        // Local pods stay: an endpoint without a pod refuses everything.
        if (std::find(local_.begin(), local_.end(), index) == local_.end() &&
            std::find(gone_.begin(), gone_.end(), index) == gone_.end()) {
            gone_.push_back(index);
            return {{}, {{Kind::kPod, pods_[index].name}}};
        }
    }
    if (kind == 1 && !gone_.empty()) {
        Pod& pod = pods_[gone_.front()];
        gone_.erase(gone_.begin());
        pod.addresses = {pod_address(last_address_, false), pod_address(last_address_, true)};
        ++last_address_;
        return {{pod}, {}};
    }
    std::uint32_t index = draw(size_.pods);
    while (std::find(gone_.begin(), gone_.end(), index) != gone_.end())
        index = draw(size_.pods);
    relabel(pods_[index]);
    return {{pods_[index]}, {}};
}

} // namespace weir::bench
