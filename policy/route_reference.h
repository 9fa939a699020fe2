// SPDX-License-Identifier: Apache-2.0
// Whether a route's backendRef leads to a Service. "If unspecified or invalid (refers to a
// nonexistent resource or a Service with no endpoints), the underlying implementation MUST actively
// reject connection attempts to this backend. Connection rejections must respect weight"
// (gateway.networking.k8s.io TCPRouteRule.backendRefs).
#pragma once

#include <cstdint>
#include <string>

#include "policy/service_index.h"

namespace weir {

enum class ReferenceFlaw : std::uint8_t {
    kNone,
    kInvalidKind,  // names no Service
    kNotPermitted, // names one of another namespace, without a ReferenceGrant there
    kNotFound      // there is no such Service, or it has no such TCP port
};

// The first of these; whether a Service that may not be named is there is nobody's business.
ReferenceFlaw flaw_of(const ServiceIndex& index, const TrafficRoute& route,
                      const TrafficRoute::Backend& backend);

// The Service's TCP port of that number; null: it has none.
const ServicePort* find_tcp_port(const Service& service, std::int64_t number);

// What is wrong and the remedy, of a backendRef that has a flaw.
std::string describe(ReferenceFlaw flaw, const TrafficRoute& route,
                     const TrafficRoute::Backend& backend);
// What lets a route name a Service of another namespace.
std::string grant_remedy(const ObjectKey& route, const Symbol& ns);

} // namespace weir
