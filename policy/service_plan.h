// SPDX-License-Identifier: Apache-2.0
// One Service's load balancing as Kubernetes and the routes want it on this node: frontends,
// backends and shares, in domain words. No ids and no maps: those are ServiceCompiler's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bpf/abi_service.h"
#include "policy/endpoint_choice.h"
#include "policy/service_index.h"

namespace weir {

// Several sets of backends may serve one port: by family, and by who asks.
enum class SetKind : std::uint8_t { kCluster, kAnywhere, kLocal };
inline constexpr std::size_t kSetKinds = 3;

struct PlannedBackend {
    Address address;
    std::uint16_t port = 0;
    bool is_local = false;
    bool is_ready = false;
    std::uint32_t max_connections = 0; // 0: no limit
    // Of each kind of set: what became of it, and its slots.
    std::array<EndpointRole, kSetKinds> roles{};
    std::array<std::uint32_t, kSetKinds> slots{};
    ObjectName service;       // whose endpoint it is; another's, behind a route
    std::uint32_t weight = 1; // of that service in the route

    bool is_v4() const { return address.is_v4(); }
    bool is_chosen() const { return slots[0] != 0 || slots[1] != 0 || slots[2] != 0; }
    // Whether new connections would be welcome, though perhaps not from here.
    bool is_active() const {
        return is_chosen() || (weight != 0 && (roles[1] == EndpointRole::kChosen));
    }
};

enum class FrontendKind : std::uint8_t {
    kClusterIp,
    kNodePort,
    kLoadBalancer,
    kExternalIp,
    kHostPort
};

struct PlannedFrontend {
    Address address;
    std::uint16_t port = 0;
    weir_service_scope scope = WEIR_SCOPE_INTERNAL;
    FrontendKind kind = FrontendKind::kClusterIp;
    SetKind set = SetKind::kCluster;
    bool has_source_ranges = false;
};

struct PlannedPort {
    ServicePort port;
    std::vector<PlannedBackend> backends; // by address and port
    std::vector<PlannedFrontend> frontends;
    std::shared_ptr<const TrafficRoute> route; // that splits its traffic; null: none
    // Of each kind of set: slots that refuse, for the backendRefs that lead nowhere.
    std::array<std::uint32_t, kSetKinds> refused_v4{};
    std::array<std::uint32_t, kSetKinds> refused_v6{};
    DestinationRule::Outliers outliers;

    std::uint32_t refused(SetKind kind, bool is_v4) const {
        return (is_v4 ? refused_v4 : refused_v6)[static_cast<std::size_t>(kind)];
    }
};

// An address of which all other ports are dropped.
struct PlannedWildcard {
    Address address;
    weir_service_scope scope = WEIR_SCOPE_INTERNAL;
};

struct ServicePlan {
    std::shared_ptr<const Service> service;
    std::vector<PlannedPort> ports;
    std::vector<PlannedWildcard> wildcards;
};

// Of a Service that the index knows, else empty.
ServicePlan plan_service(const ServiceIndex& index, const ObjectName& name);

// The oldest route that is applied to the TCP port of a Service that the record knows; null: none.
std::shared_ptr<const TrafficRoute> route_of(const ServiceRecord& record, std::uint16_t port);

// Ready endpoints on this node, for the Service's healthCheckNodePort: not those that terminate, so
// that a balancer turns away before the last one is gone (KEP-1669).
std::uint32_t local_endpoints(const ServicePlan& plan);

} // namespace weir
