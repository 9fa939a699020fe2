// SPDX-License-Identifier: Apache-2.0
// v1 ContainerPort.hostPort: "Number of port to expose on the host". To the compiler it is a
// Service with a node port, on the pod's node alone, whose one endpoint is the pod.
#pragma once

#include <optional>
#include <vector>

#include "policy/model.h"

namespace weir {

// The Services and EndpointSlices that stand for the pod's host ports: one Service for all of those
// at the node's addresses, and one for each hostIP. Their names are no Service's: "web-0:hostPort".
// None of a pod that has ended or is in the host's network.
std::vector<SharedObject> host_port_objects(const Pod& pod);

// The pod whose host ports the Service of this name stands for; nothing: it is a Service.
std::optional<ObjectName> host_port_pod(const ObjectName& service);

} // namespace weir
