// SPDX-License-Identifier: Apache-2.0
// A process that connects to the services of service_rig.h.
#pragma once

#include <netinet/in.h>

#include <cstdint>

#include "loader/result.h"

namespace weir::bench {

// Where the service of this number is to be had.
sockaddr_in service_end(std::uint32_t number);

// Whether connect() succeeds.
bool connects(int socket, const sockaddr_in& end);

// One service after the other, all of them, and in no order of memory.
inline std::uint32_t next_service(std::uint32_t number, std::uint32_t services) {
    return (number + 40'503) % services;
}

// The median time of connect() over TCP, in microseconds, to who listens at the backends, which it
// does itself. services: 0: to the backends themselves, one after the other.
Result<double> stream_connect(std::uint32_t services);

} // namespace weir::bench
