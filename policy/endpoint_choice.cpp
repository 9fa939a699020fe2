// SPDX-License-Identifier: Apache-2.0
#include "policy/endpoint_choice.h"

#include <algorithm>
#include <cstddef>

namespace weir {
namespace {

// "Consumers of this API ... should fall back to terminating endpoints that are serving"
// (KEP-1669).
bool is_last_resort(const ServiceEndpoint& endpoint) {
    return endpoint.is_serving && endpoint.is_terminating;
}

bool is_for(const ServiceEndpoint& endpoint, bool is_node, const Symbol& name) {
    return std::ranges::any_of(endpoint.hints, [&](const TopologyHint& hint) {
        return hint.is_node == is_node && hint.name == name;
    });
}

bool has_hints(const ServiceEndpoint& endpoint, bool for_nodes) {
    return std::ranges::any_of(endpoint.hints,
                               [&](const TopologyHint& hint) { return hint.is_node == for_nodes; });
}

enum class Topology { kNone, kZone, kNode };

// Hints count only when every ready endpoint has one and there is one for here.
bool is_hinted(std::span<const ServiceEndpoint* const> endpoints, bool for_nodes,
               const Symbol& name) {
    bool is_one_here = false;
    for (const auto* endpoint : endpoints) {
        if (!endpoint->is_ready) {
            continue;
        }
        if (!has_hints(*endpoint, for_nodes)) {
            return false;
        }
        is_one_here |= is_for(*endpoint, for_nodes, name);
    }
    return is_one_here;
}

Topology topology_of(std::span<const ServiceEndpoint* const> endpoints, const Place& here) {
    if (is_hinted(endpoints, true, here.node)) {
        return Topology::kNode;
    }
    return is_hinted(endpoints, false, here.zone) ? Topology::kZone : Topology::kNone;
}

bool is_near(const ServiceEndpoint& endpoint, Topology topology, const Place& here) {
    switch (topology) {
        case Topology::kNode:
            return is_for(endpoint, true, here.node);
        case Topology::kZone:
            return is_for(endpoint, false, here.zone);
        case Topology::kNone:
            break;
    }
    return true;
}

EndpointRole role_of(const ServiceEndpoint& endpoint) {
    // Ready and terminating is ready: the Service has publishNotReadyAddresses.
    if (endpoint.is_ready) {
        return EndpointRole::kChosen;
    }
    return is_last_resort(endpoint) ? EndpointRole::kTerminating : EndpointRole::kNotReady;
}

} // namespace

std::vector<EndpointRole> choose_endpoints(std::span<const ServiceEndpoint* const> endpoints,
                                           EndpointScope scope, const Place& here) {
    const auto topology =
        scope == EndpointScope::kCluster ? topology_of(endpoints, here) : Topology::kNone;
    std::vector<EndpointRole> roles;
    roles.reserve(endpoints.size());
    for (const auto* endpoint : endpoints) {
        auto role = role_of(*endpoint);
        if (scope == EndpointScope::kLocal && endpoint->node != here.node) {
            role = EndpointRole::kElsewhere;
        } else if (role == EndpointRole::kChosen && !is_near(*endpoint, topology, here)) {
            role = EndpointRole::kOtherZone;
        }
        roles.push_back(role);
    }
    // "If there are no ready endpoints", those that terminate serve as the last resort.
    if (std::ranges::find(roles, EndpointRole::kChosen) == roles.end()) {
        std::ranges::replace(roles, EndpointRole::kTerminating, EndpointRole::kChosen);
    }
    return roles;
}

} // namespace weir
