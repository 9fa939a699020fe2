// SPDX-License-Identifier: Apache-2.0
// What the container runtime's CNI library keeps of the pods that run: <folder>/results.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/cni/protocol.h"

namespace weir {

// The ADD of one file of libcni's format (kind "cniCacheV1"). Nothing for another format, a
// container that is no pod of Kubernetes, or another interface than the cluster's, eth0.
std::optional<CniRequest> parse_cached_result(std::string_view text);

// Of all files; empty without the folder.
std::vector<CniRequest> read_cached_results(const std::filesystem::path& folder);

} // namespace weir
