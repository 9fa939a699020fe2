// SPDX-License-Identifier: Apache-2.0
// The objects that load balancing is compiled from, already validated and with the API server's
// defaults applied. Only what is used is kept: a cluster has tens of thousands of these.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/address.h"
#include "policy/object_name.h"
#include "policy/symbol.h"

namespace weir {

// How a new connection finds its backend.
enum class ServiceChoice : std::uint8_t { kRandom, kMaglev, kLeastLoaded };

struct ServicePort {
    Symbol name; // may be empty
    std::uint16_t port = 0;
    std::uint16_t node_port = 0; // 0: none
    std::uint8_t protocol = 0;   // IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP

    bool operator==(const ServicePort&) const = default;
};

struct ServiceAddress {
    enum class Kind : std::uint8_t {
        kCluster,     // spec.clusterIPs
        kExternal,    // spec.externalIPs
        kLoadBalancer // status.loadBalancer.ingress, but for those whose ipMode is Proxy
    };

    Address address;
    Kind kind = Kind::kCluster;

    bool operator==(const ServiceAddress&) const = default;
};

// v1 Service. Headless ones and those of type ExternalName have no addresses and no node ports.
struct Service {
    ObjectName name;
    std::vector<ServiceAddress> addresses;
    std::vector<ServicePort> ports;
    std::vector<Cidr> source_ranges; // spec.loadBalancerSourceRanges; empty: any client
    std::int64_t created = 0;        // metadata.creationTimestamp, seconds; 0: unknown
    std::uint32_t affinity = 0;      // seconds; 0: none
    std::uint16_t health_check_node_port = 0;
    ServiceChoice choice = ServiceChoice::kRandom; // annotation weir.io/balance
    bool is_choice_given = false;
    bool is_dsr = false;                 // annotation weir.io/forward
    bool closes_tcp = false;             // annotation weir.io/close-on-removal
    bool is_internal_local = false;      // internalTrafficPolicy: Local
    bool is_external_local = false;      // externalTrafficPolicy: Local
    bool is_of_host_ports = false;       // it stands for a pod's host ports (policy/host_ports.h):
    std::optional<Address> host_address; // at this address of the node alone; none: at all
    Origin origin;

    bool operator==(const Service&) const = default;
};

// For whom the control plane would keep an endpoint.
struct TopologyHint {
    Symbol name; // of a zone or a node
    bool is_node = false;

    bool operator==(const TopologyHint&) const = default;
};

// discovery.k8s.io/v1 Endpoint. "addresses ... are interpreted as fungible": the first one counts.
struct ServiceEndpoint {
    Address address;
    Symbol node;                     // may be empty
    std::vector<TopologyHint> hints; // hints.forZones and hints.forNodes
    bool is_ready = true;
    bool is_serving = true;
    bool is_terminating = false;

    bool operator==(const ServiceEndpoint&) const = default;
};

struct EndpointPort {
    Symbol name; // may be empty: of the Service's port of that name
    std::uint16_t port = 0;
    std::uint8_t protocol = 0;

    bool operator==(const EndpointPort&) const = default;
};

// discovery.k8s.io/v1 EndpointSlice of addressType IPv4 or IPv6.
struct EndpointSlice {
    ObjectName name;
    Symbol service; // label kubernetes.io/service-name, in the slice's namespace; may be empty
    bool is_v4 = true;
    std::vector<EndpointPort> ports;
    std::vector<ServiceEndpoint> endpoints;
    Origin origin;

    bool operator==(const EndpointSlice&) const = default;
};

// gateway.networking.k8s.io HTTPRoute, GRPCRoute or TCPRoute, as far as it splits all of a
// Service's traffic by weight.
struct TrafficRoute {
    enum class Api : std::uint8_t { kHttp, kGrpc, kTcp };
    // A Service that the route is attached to.
    struct Parent {
        ObjectName service;
        std::uint16_t port = 0; // 0: all of its ports

        bool operator==(const Parent&) const = default;
    };
    // Where a share of the traffic goes. One that may not be used, or does not exist, keeps its
    // weight: its share is refused.
    struct Backend {
        ObjectName service;     // empty name: no Service but another kind
        std::uint16_t port = 0; // of the Service
        std::uint32_t weight = 1;

        bool operator==(const Backend&) const = default;
    };

    Api api = Api::kHttp;
    ObjectName name;
    std::int64_t created = 0;
    std::vector<Parent> parents;
    std::vector<Backend> backends;
    Symbol not_applied; // why it leaves the traffic as it is; empty: it does not
    Origin origin;

    bool operator==(const TrafficRoute&) const = default;
};

// gateway.networking.k8s.io ReferenceGrant, as far as it lets routes name Services.
struct ReferenceGrant {
    // Whose routes may.
    struct From {
        TrafficRoute::Api api = TrafficRoute::Api::kHttp;
        Symbol ns;

        bool operator==(const From&) const = default;
    };

    ObjectName name;
    std::vector<From> from;
    std::vector<Symbol> to; // Services of the grant's namespace; an empty name: all of them
    Origin origin;

    bool operator==(const ReferenceGrant&) const = default;
};

// networking.istio.io DestinationRule: trafficPolicy.connectionPool.tcp.maxConnections and
// trafficPolicy.outlierDetection.
struct DestinationRule {
    // "Outlier detection" of Istio, what the kernel can see of it. Times in milliseconds.
    struct Outliers {
        std::uint32_t consecutive = 0; // failures that eject; 0: never
        std::uint32_t ejection_ms = 30'000;
        std::uint32_t interval_ms = 10'000;
        std::uint8_t most_percent = 10; // of the backends ejected at a time

        bool operator==(const Outliers&) const = default;
    };

    ObjectName name;
    ObjectName service; // spec.host; empty name: no Service of the cluster
    std::int64_t created = 0;
    std::uint32_t max_connections = 0; // a backend; 0: no limit
    Outliers outliers;
    Origin origin;

    bool operator==(const DestinationRule&) const = default;
};

} // namespace weir
