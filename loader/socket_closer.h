// SPDX-License-Identifier: Apache-2.0
// Closes connected sockets of other processes: their owners get an error (ECONNABORTED), and
// connect anew.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "loader/result.h"

namespace weir {

// Whether to close the connected socket with this cookie. protocol: IPPROTO_TCP or IPPROTO_UDP.
using IsDoomed = std::function<bool(std::uint8_t protocol, std::uint64_t cookie)>;

// Asks it of every connected TCP and UDP socket of the network namespace (a descriptor of it) and
// closes those. Returns how many. Needs a kernel with CONFIG_INET_DIAG_DESTROY and CAP_NET_ADMIN
// and CAP_SYS_ADMIN for the namespace.
Result<std::uint32_t> close_sockets(int netns, const IsDoomed& is_doomed);

} // namespace weir
