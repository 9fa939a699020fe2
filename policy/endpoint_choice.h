// SPDX-License-Identifier: Apache-2.0
// Which endpoints of one Service take new connections: the rules of Kubernetes, without weights and
// without maps.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "policy/service_model.h"

namespace weir {

// Where the choice is made.
struct Place {
    Symbol node;
    Symbol zone; // empty: the node has no zone label

    bool operator==(const Place&) const = default;
};

// What becomes of an endpoint.
enum class EndpointRole : std::uint8_t {
    kChosen,
    kNotReady,    // kept for existing connections only
    kTerminating, // the same; there are others that are ready
    kElsewhere,   // on another node, and only this node's count
    kOtherZone    // of another zone or node by the hints
};

enum class EndpointScope : std::uint8_t {
    kCluster,  // all of the cluster, as the topology hints say
    kAnywhere, // all of the cluster, whatever the hints say: the same on every node
    kLocal     // of this node alone
};

// One role for each endpoint.
std::vector<EndpointRole> choose_endpoints(std::span<const ServiceEndpoint* const> endpoints,
                                           EndpointScope scope, const Place& here);

} // namespace weir
