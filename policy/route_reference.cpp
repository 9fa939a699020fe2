// SPDX-License-Identifier: Apache-2.0
#include "policy/route_reference.h"

#include <netinet/in.h>

#include <algorithm>

namespace weir {

const ServicePort* find_tcp_port(const Service& service, std::int64_t number) {
    const auto found = std::ranges::find_if(service.ports, [number](const ServicePort& port) {
        return port.port == number && port.protocol == IPPROTO_TCP;
    });
    return found == service.ports.end() ? nullptr : &*found;
}

ReferenceFlaw flaw_of(const ServiceIndex& index, const TrafficRoute& route,
                      const TrafficRoute::Backend& backend) {
    if (backend.service.name.get().empty()) return ReferenceFlaw::kInvalidKind;
    if (!index.grants().permit(route.api, route.name.ns, backend.service)) {
        return ReferenceFlaw::kNotPermitted;
    }
    const ServiceRecord* record = index.find(backend.service);
    const bool is_found = record != nullptr && record->service &&
                          find_tcp_port(*record->service, backend.port) != nullptr;
    return is_found ? ReferenceFlaw::kNone : ReferenceFlaw::kNotFound;
}

std::string describe(ReferenceFlaw flaw, const TrafficRoute& route,
                     const TrafficRoute::Backend& backend) {
    switch (flaw) {
        case ReferenceFlaw::kNone:
            break;
        case ReferenceFlaw::kInvalidKind:
            return "a backendRef is no Service: name Services";
        case ReferenceFlaw::kNotPermitted:
            return "Service " + backend.service.to_string() +
                   " is in another namespace: " + grant_remedy(key_of(route), backend.service.ns);
        case ReferenceFlaw::kNotFound:
            return "there is no Service " + backend.service.to_string() + " with the TCP port " +
                   std::to_string(backend.port);
    }
    return {};
}

std::string grant_remedy(const ObjectKey& route, const Symbol& ns) {
    return "create a ReferenceGrant in namespace " + ns.get() + " from " + to_string(route.kind) +
           "s of namespace " + route.name.ns.get() + " to Services";
}

} // namespace weir
