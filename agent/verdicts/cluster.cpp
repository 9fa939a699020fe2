// SPDX-License-Identifier: Apache-2.0
#include "agent/verdicts/cluster.h"

namespace weir {

Cluster::Cluster(const Change& change) {
    for (const auto& object : change.upserts) {
        std::visit([this](const auto& value) { put(value); }, *object);
    }
    // A host-network pod whose status lists no address has its node's.
    for (auto& [text, end] : ends_) {
        if (!end.is_node || !end.addresses.empty()) continue;
        const auto node = ends_.find("node/" + end.node.get());
        if (node != ends_.end()) end.addresses = node->second.addresses;
    }
}

void Cluster::put(const Node& node) {
    ends_["node/" + node.name.get()] =
        ClusterEnd{.pod = {}, .node = node.name, .is_node = true, .addresses = node.addresses};
}

void Cluster::put(const Pod& pod) {
    ClusterEnd end{.pod = pod.name,
                   .node = pod.node,
                   .is_node = pod.is_host_network,
                   .addresses = pod.addresses};
    if (pod.is_host_network) end.pod.reset();
    ends_[pod.name.ns.get() + "/" + pod.name.name.get()] = std::move(end);
}

const ClusterEnd* Cluster::find(const std::string& text) {
    if (const auto found = ends_.find(text); found != ends_.end()) return &found->second;
    const auto address = Address::parse(text);
    if (!address) return nullptr;
    outside_.addresses = {*address};
    return &outside_;
}

} // namespace weir
