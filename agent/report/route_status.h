// SPDX-License-Identifier: Apache-2.0
// status.parents of routes that are attached to Services (GAMMA), as the Gateway API defines it:
// conditions Accepted and ResolvedRefs for each such parent, beside the entries of others.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "agent/report/status_write.h"

namespace weir {

class ServiceIndex;

// What is true of the route: an entry for each of its parents that is a Service of the cluster.
std::vector<ParentStatus> desired_parents(const ReportedObject& route,
                                          const ServiceIndex& services);

// What has to be written so that the status says so; nothing when it does.
std::optional<StatusWrite> route_status_write(const ReportedObject& route,
                                              const ServiceIndex& services,
                                              std::chrono::system_clock::time_point now);

} // namespace weir
