// SPDX-License-Identifier: Apache-2.0
// The few questions that Weir asks rtnetlink, in the calling thread's network namespace.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "loader/result.h"
#include "policy/address.h"

struct nlmsghdr;

namespace weir {

using Mac = std::array<std::uint8_t, 6>;

struct Link {
    std::uint32_t ifindex = 0;
    std::string name;
    std::string kind; // "veth"; empty for hardware
    Mac mac{};
    std::uint32_t peer_ifindex = 0;        // of a veth's other side, in its namespace
    std::optional<std::int32_t> peer_nsid; // that namespace's id in this one; none: this one itself
};

// message: RTM_NEWLINK or RTM_DELLINK
Link parse_link(const nlmsghdr* message);

Result<std::vector<Link>> list_links();
// None if there is no such interface.
Result<std::optional<Link>> find_link(std::uint32_t ifindex);
// The interface's addresses of both families, in the kernel's order.
Result<std::vector<Address>> list_addresses(std::uint32_t ifindex);
// Those through which the node reaches the rest of the world: of the default routes of both
// families in the main table, and of each next hop of theirs.
Result<std::set<std::uint32_t>> list_default_interfaces();
// The id by which this namespace knows the one behind the fd; none if it has no id for it.
Result<std::optional<std::int32_t>> find_nsid(int netns_fd);

} // namespace weir
