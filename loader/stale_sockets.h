// SPDX-License-Identifier: Apache-2.0
// Which sockets are connected to a backend that is not theirs any more.
#pragma once

#include <cstdint>
#include <unordered_set>

#include "loader/result.h"
#include "loader/service_maps.h"

namespace weir {

// By socket cookie, whatever a socket's protocol: a cookie is one socket's.
struct StaleSockets {
    std::unordered_set<std::uint64_t> all;
    std::unordered_set<std::uint64_t> close_tcp; // of those, the frontend closes TCP too
};

// Precondition: backends and sockets are acquired.
Result<StaleSockets> find_stale_sockets(const ServiceMaps& maps);

} // namespace weir
