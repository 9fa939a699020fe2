// SPDX-License-Identifier: Apache-2.0
// The cluster that compiling is measured on: 30 pods and 3 policies a namespace, 6 labels a pod,
// one of them unique; peers mix podSelector, namespaceSelector, both, {} and ipBlock with except;
// two ports a rule. The same objects for the same seed. A large cluster has cluster-wide policies
// and identity rules besides (bench/cluster_policies.h), nodes, stages and service accounts.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "policy/compiler.h"

namespace weir::bench {

struct WorkloadSize {
    std::uint32_t pods = 10'000;
    std::uint32_t policies = 1'000; // of all kinds
    std::uint32_t local_pods = 110;
    std::uint32_t tiers = 0;          // ClusterNetworkPolicies, up to 30
    std::uint32_t authorizations = 0; // AuthorizationPolicies, spread over the namespaces

    // With cluster-wide policies and identity rules among the policies.
    static WorkloadSize large(std::uint32_t pods = 30'000, std::uint32_t policies = 30'000) {
        return {pods, policies, 110, 30, policies / 30};
    }
    bool is_large() const { return tiers + authorizations != 0; }
};

class Workload {
public:
    explicit Workload(const WorkloadSize& size, std::uint64_t seed = 20'260'801);

    // All objects, as a source reports them at its start.
    Change everything() const;
    // The pods of this node, spread over the namespaces.
    std::vector<LocalPod> local_pods() const;

    // One change each time: a pod that changes a label other pods are selected by.
    Change next_pod_change();
    // A policy of a namespace with local pods that gets another peer and another port.
    Change next_policy_change();
    // A namespace that goes to another team.
    Change next_namespace_change();
    // A cluster-wide policy, or an identity rule of a namespace with local pods, that gets another
    // port, network or account. Only where there are such.
    Change next_tier_change();
    Change next_authorization_change();
    // A pod that goes, comes back with another address, or changes a label.
    Change next_churn();

private:
    Pod make_pod(std::uint32_t index);
    void relabel(Pod& pod);
    std::uint32_t local_namespace(); // one that has local pods
    NetworkPolicy make_policy(std::uint32_t index, std::uint32_t ns);
    Peer make_peer(std::uint32_t kind);
    Peer make_wide_peer();
    std::uint32_t draw(std::uint32_t bound);

    WorkloadSize size_;
    std::mt19937_64 random_;
    std::vector<Namespace> namespaces_;
    std::vector<Pod> pods_;
    std::vector<NetworkPolicy> policies_;
    std::vector<Node> nodes_;
    std::vector<TierPolicy> tiers_;
    std::vector<AuthorizationPolicy> authorizations_;
    std::vector<std::uint32_t> gone_; // pods, indices
    std::uint32_t changes_ = 0;       // of cluster-wide policies
    std::uint32_t last_address_ = 0;
    std::vector<std::uint32_t> local_; // indices into pods_
};

} // namespace weir::bench
