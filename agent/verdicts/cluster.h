// SPDX-License-Identifier: Apache-2.0
// The ends that flows may have, from a directory of manifests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/model.h"

namespace weir {

// One end. A pod with an address of its own has a side that policy judges; a host-network pod is
// its node, and neither a node nor an address outside has one.
struct ClusterEnd {
    std::optional<ObjectName> pod;
    Symbol node; // of the pod, or that it is
    bool is_node = false;
    std::vector<Address> addresses;
};

class Cluster {
public:
    explicit Cluster(const Change& change);

    // text: NAMESPACE/POD, node/NAME or an address. Null when there is no such pod or node.
    // The pointer holds until the next call.
    const ClusterEnd* find(const std::string& text);

private:
    void put(const auto&) {} // neither a node nor a pod
    void put(const Node& node);
    void put(const Pod& pod);

    std::unordered_map<std::string, ClusterEnd> ends_; // by the text that names them
    ClusterEnd outside_;                               // the address asked for last
};

} // namespace weir
