// SPDX-License-Identifier: Apache-2.0
// HTTPRoute, GRPCRoute and TCPRoute of gateway.networking.k8s.io, attached to a Service.
#pragma once

#include <optional>

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

// Nothing for a route that is attached to no Service: it is a Gateway's. What layer 4 cannot do is
// reported, and the route says why it is not applied.
std::optional<TrafficRoute> decode_route(const Field& root, const ObjectName& name,
                                         TrafficRoute::Api api);

} // namespace weir
