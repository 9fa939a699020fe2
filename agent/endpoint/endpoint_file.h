// SPDX-License-Identifier: Apache-2.0
// <run-dir>/endpoints.json: the endpoints of this node across restarts of the agent.
#pragma once

#include <filesystem>
#include <vector>

#include "agent/endpoint/endpoint_table.h"
#include "loader/result.h"

namespace weir {

inline constexpr const char* kEndpointFile = "endpoints.json"; // in the run folder

// Renamed into place when it is complete on disk; mode 0600.
Result<> write_endpoints(const std::filesystem::path& file, const std::vector<Endpoint>& endpoints);
// No file: none.
Result<std::vector<Endpoint>> read_endpoints(const std::filesystem::path& file);

} // namespace weir
