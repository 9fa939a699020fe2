// SPDX-License-Identifier: Apache-2.0
#include "policy/service_plan.h"

#include <netinet/in.h>

#include <algorithm>
#include <set>
#include <span>
#include <tuple>

#include "policy/route_reference.h"
#include "policy/slot_shares.h"

namespace weir {
namespace {

constexpr std::array kScopes = {EndpointScope::kCluster, EndpointScope::kAnywhere,
                                EndpointScope::kLocal};

// Endpoints of one Service that a port leads to, and the weight that they share. None for a
// backendRef that has a flaw.
struct Source {
    ObjectName service;
    std::uint32_t weight = 1;
    std::uint32_t max_connections = 0;
    std::vector<PlannedBackend> backends;

    std::uint32_t chosen(std::size_t kind, bool is_v4) const {
        return static_cast<std::uint32_t>(
            std::ranges::count_if(backends, [&](const PlannedBackend& backend) {
                return backend.is_v4() == is_v4 && backend.roles[kind] == EndpointRole::kChosen;
            }));
    }
    // Endpoints on other nodes alone do not count as none: traffic policies have no say in what a
    // route refuses.
    bool leads_nowhere(bool is_v4) const {
        return chosen(static_cast<std::size_t>(SetKind::kAnywhere), is_v4) == 0;
    }
};

// An endpoint may be in two slices while it moves from one to the other: the better one counts.
int rank(const ServiceEndpoint& endpoint) {
    return (endpoint.is_ready ? 2 : 0) + (endpoint.is_serving ? 1 : 0);
}

struct Found {
    const ServiceEndpoint* endpoint = nullptr;
    std::uint16_t port = 0;
};

std::vector<Found> find_endpoints(const ServiceRecord& record, const ServicePort& port,
                                  bool is_v4) {
    std::vector<Found> found;
    for (const auto& slice : record.slices) {
        if (slice->is_v4 != is_v4) {
            continue;
        }
        // "The name of this port. All ports in an EndpointSlice must have a unique name."
        const auto is_port = [&](const EndpointPort& candidate) {
            return candidate.name == port.name && candidate.protocol == port.protocol;
        };
        const auto target = std::ranges::find_if(slice->ports, is_port);
        if (target == slice->ports.end()) {
            continue;
        }
        for (const auto& endpoint : slice->endpoints) {
            found.push_back({&endpoint, target->port});
        }
    }
    const auto order = [](const Found& one) {
        return std::tuple(one.endpoint->address, one.port, -rank(*one.endpoint));
    };
    std::ranges::sort(found, {}, order);
    const auto same = std::ranges::unique(
        found, {}, [](const Found& one) { return std::pair(one.endpoint->address, one.port); });
    found.erase(same.begin(), same.end());
    return found;
}

void add_backends(Source& source, const ServiceRecord& record, const ServicePort& port, bool is_v4,
                  const Place& here) {
    const auto found = find_endpoints(record, port, is_v4);
    std::vector<const ServiceEndpoint*> endpoints;
    endpoints.reserve(found.size());
    for (const auto& one : found) {
        endpoints.push_back(one.endpoint);
    }
    const auto first = source.backends.size();
    for (const auto& one : found) {
        source.backends.push_back({.address = one.endpoint->address,
                                   .port = one.port,
                                   .is_local = one.endpoint->node == here.node,
                                   .is_ready = one.endpoint->is_ready,
                                   .max_connections = source.max_connections,
                                   .service = source.service,
                                   .weight = source.weight});
    }
    for (std::size_t kind = 0; kind < kSetKinds; ++kind) {
        const auto roles = choose_endpoints(endpoints, kScopes[kind], here);
        for (std::size_t i = 0; i < roles.size(); ++i) {
            source.backends[first + i].roles[kind] = roles[i];
        }
    }
}

class PortPlanner {
public:
    PortPlanner(const ServiceIndex& index, const ServiceRecord& record, const ServicePort& port)
        : index_(index), record_(record) {
        planned_.port = port;
    }

    PlannedPort plan() {
        // Routes carry TCP alone.
        if (planned_.port.protocol == IPPROTO_TCP)
            planned_.route = route_of(record_, planned_.port.port);
        if (planned_.route) {
            for (const auto& backend : planned_.route->backends) {
                if (flaw_of(index_, *planned_.route, backend) == ReferenceFlaw::kNone) {
                    add_source(backend.service, backend.port, backend.weight);
                } else {
                    sources_.push_back({.service = {}, .weight = backend.weight, .backends = {}});
                }
            }
        } else {
            add_source(record_.service->name, planned_.port.port, 1);
        }
        for (std::size_t kind = 0; kind < kSetKinds; ++kind) {
            share_slots(kind, true);
            share_slots(kind, false);
        }
        merge_sources();
        add_frontends();
        return std::move(planned_);
    }

private:
    void add_source(const ObjectName& name, std::uint16_t number, std::uint32_t weight) {
        const auto* record = index_.find(name);
        if (record == nullptr || !record->service) {
            return;
        }
        const auto is_port = [&](const ServicePort& port) {
            return port.port == number && port.protocol == planned_.port.protocol;
        };
        const auto port = std::ranges::find_if(record->service->ports, is_port);
        if (port == record->service->ports.end()) {
            return;
        }
        Source source{.service = name, .weight = weight, .backends = {}};
        for (const auto& rule : record->rules) {
            if (source.max_connections == 0) {
                source.max_connections = rule->max_connections;
            }
            if (planned_.outliers.consecutive == 0) {
                planned_.outliers = rule->outliers;
            }
        }
        add_backends(source, *record, *port, true, index_.here());
        add_backends(source, *record, *port, false, index_.here());
        sources_.push_back(std::move(source));
    }

    void share_slots(std::size_t kind, bool is_v4) {
        std::vector<WeightedGroup> groups;
        groups.reserve(sources_.size() + 1);
        WeightedGroup refused{0, 1};
        for (const auto& source : sources_) {
            groups.push_back({source.weight, source.chosen(kind, is_v4)});
            // "a Service with no endpoints": its connections are rejected, not the others'.
            if (planned_.route && source.leads_nowhere(is_v4)) refused.weight += source.weight;
        }
        groups.push_back(refused);
        const auto slots = slots_per_endpoint(groups);
        (is_v4 ? planned_.refused_v4 : planned_.refused_v6)[kind] = slots.back();
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            for (auto& backend : sources_[i].backends) {
                if (backend.is_v4() == is_v4 && backend.roles[kind] == EndpointRole::kChosen) {
                    backend.slots[kind] = slots[i];
                }
            }
        }
    }

    // An endpoint of two backendRefs is one backend.
    void merge_sources() {
        auto& backends = planned_.backends;
        for (auto& source : sources_) {
            std::ranges::move(source.backends, std::back_inserter(backends));
        }
        if (sources_.size() > 1) {
            std::ranges::stable_sort(backends, {}, [](const PlannedBackend& backend) {
                return std::pair(backend.address, backend.port);
            });
        }
        const auto is_same = [](const PlannedBackend& a, const PlannedBackend& b) {
            return a.address == b.address && a.port == b.port;
        };
        for (std::size_t i = 1; i < backends.size();) {
            if (!is_same(backends[i - 1], backends[i])) {
                ++i;
                continue;
            }
            for (std::size_t kind = 0; kind < kSetKinds; ++kind) {
                backends[i - 1].slots[kind] += backends[i].slots[kind];
            }
            backends[i - 1].weight = std::max(backends[i - 1].weight, backends[i].weight);
            backends.erase(backends.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }

    void add_frontends() {
        const auto& service = *record_.service;
        for (const auto& [address, kind] : service.addresses) {
            switch (kind) {
                case ServiceAddress::Kind::kCluster:
                    // "internalTrafficPolicy describes how nodes distribute service traffic they
                    // receive on the ClusterIP."
                    add_frontend(address, planned_.port.port, FrontendKind::kClusterIp,
                                 WEIR_SCOPE_INTERNAL,
                                 service.is_internal_local ? SetKind::kLocal : SetKind::kCluster);
                    break;
                case ServiceAddress::Kind::kExternal:
                    add_outside(address, planned_.port.port, FrontendKind::kExternalIp);
                    break;
                case ServiceAddress::Kind::kLoadBalancer:
                    add_outside(address, planned_.port.port, FrontendKind::kLoadBalancer);
                    break;
            }
        }
        if (planned_.port.node_port == 0) {
            return;
        }
        if (service.host_address) {
            add_outside(*service.host_address, planned_.port.node_port, FrontendKind::kHostPort);
            return;
        }
        const auto kind =
            service.is_of_host_ports ? FrontendKind::kHostPort : FrontendKind::kNodePort;
        for (const auto& address : index_.node_addresses()) {
            add_outside(address, planned_.port.node_port, kind);
        }
    }

    // "externalTrafficPolicy describes how nodes distribute service traffic they receive on one of
    // the Service's "externally-facing" addresses": what this node itself sends there goes to all.
    void add_outside(const Address& address, std::uint16_t port, FrontendKind kind) {
        const bool is_local = record_.service->is_external_local;
        add_frontend(address, port, kind, WEIR_SCOPE_INTERNAL, SetKind::kCluster);
        add_frontend(address, port, kind, WEIR_SCOPE_EXTERNAL,
                     is_local ? SetKind::kLocal : SetKind::kCluster);
    }

    void add_frontend(const Address& address, std::uint16_t port, FrontendKind kind,
                      weir_service_scope scope, SetKind set) {
        const bool is_filtered = scope == WEIR_SCOPE_EXTERNAL && kind != FrontendKind::kNodePort &&
                                 !record_.service->source_ranges.empty();
        planned_.frontends.push_back({address, port, scope, kind, set, is_filtered});
    }

    const ServiceIndex& index_;
    const ServiceRecord& record_;
    std::vector<Source> sources_;
    PlannedPort planned_;
};

// "Kubernetes reserves the whole address": of an address that is a Service's alone, other ports
// lead nowhere, not to the host. externalIPs and a node's own addresses serve others as well.
void add_wildcards(const ServiceIndex& index, ServicePlan& plan) {
    const auto& own = index.node_addresses();
    for (const auto& [address, kind] : plan.service->addresses) {
        if (kind == ServiceAddress::Kind::kExternal ||
            std::ranges::find(own, address) != own.end()) {
            continue;
        }
        plan.wildcards.push_back({address, WEIR_SCOPE_INTERNAL});
        if (kind == ServiceAddress::Kind::kLoadBalancer) {
            plan.wildcards.push_back({address, WEIR_SCOPE_EXTERNAL});
        }
    }
}

} // namespace

std::shared_ptr<const TrafficRoute> route_of(const ServiceRecord& record, std::uint16_t port) {
    for (const auto& route : record.routes) {
        const auto is_here = [&](const TrafficRoute::Parent& parent) {
            return parent.service == record.service->name &&
                   (parent.port == 0 || parent.port == port);
        };
        if (route->not_applied.get().empty() && std::ranges::any_of(route->parents, is_here)) {
            return route;
        }
    }
    return nullptr;
}

ServicePlan plan_service(const ServiceIndex& index, const ObjectName& name) {
    ServicePlan plan;
    const auto* record = index.find(name);
    if (record == nullptr || !record->service) {
        return plan;
    }
    plan.service = record->service;
    const bool is_reached = !plan.service->addresses.empty() ||
                            std::ranges::any_of(plan.service->ports, [](const ServicePort& port) {
                                return port.node_port != 0;
                            });
    if (!is_reached) { // headless or ExternalName
        return plan;
    }
    plan.ports.reserve(plan.service->ports.size());
    for (const auto& port : plan.service->ports) {
        plan.ports.push_back(PortPlanner(index, *record, port).plan());
    }
    add_wildcards(index, plan);
    return plan;
}

std::uint32_t local_endpoints(const ServicePlan& plan) {
    std::set<Address> addresses;
    for (const auto& port : plan.ports) {
        for (const auto& backend : port.backends) {
            if (backend.is_local && backend.is_ready) {
                addresses.insert(backend.address);
            }
        }
    }
    return static_cast<std::uint32_t>(addresses.size());
}

} // namespace weir
