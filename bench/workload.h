// SPDX-License-Identifier: Apache-2.0
// The cluster that compiling is measured on: 30 pods and 3 policies a namespace, 6 labels a pod,
// one of them unique; peers mix podSelector, namespaceSelector, both, {} and ipBlock with except;
// two ports a rule. The same objects for the same seed.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "policy/compiler.h"

namespace weir::bench {

struct WorkloadSize {
    std::uint32_t pods = 10'000;
    std::uint32_t policies = 1'000;
    std::uint32_t local_pods = 110;
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

private:
    Pod make_pod(std::uint32_t index);
    NetworkPolicy make_policy(std::uint32_t index);
    Peer make_peer(std::uint32_t kind);
    Peer make_wide_peer();
    std::uint32_t draw(std::uint32_t bound);

    WorkloadSize size_;
    std::mt19937_64 random_;
    std::vector<Namespace> namespaces_;
    std::vector<Pod> pods_;
    std::vector<NetworkPolicy> policies_;
    std::vector<std::uint32_t> local_; // indices into pods_
};

} // namespace weir::bench
