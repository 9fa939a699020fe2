// SPDX-License-Identifier: Apache-2.0
// The programs on an uplink: the tc program at its ingress and, before it, the XDP program; and one
// at its egress. What is attached is known from the pins alone: <folder>/<ifindex>-xdp,
// <ifindex>-tc and <ifindex>-out are links, <ifindex>-clsact and <ifindex>-clsact-out stand for
// filters (they pin the programs), <ifindex>-qdisc says that the clsact qdisc is ours.
#pragma once

#include <cstdint>
#include <filesystem>

#include "loader/result.h"

namespace weir {

// Puts the programs in place of whichever are there, or makes the hooks: tcx links or, before Linux
// 6.6, clsact filters.
Result<> attach_uplink_tc(const std::filesystem::path& folder, std::uint32_t ifindex, int in_fd,
                          int out_fd);
Result<> detach_uplink_xdp(const std::filesystem::path& folder, std::uint32_t ifindex);
// All of them. By the pins alone; an interface that is gone is no error.
Result<> detach_uplink(const std::filesystem::path& folder, std::uint32_t ifindex);
// Whether all, or all but the XDP program (without is_xdp), are where they were put.
Result<bool> is_uplink_attached(const std::filesystem::path& folder, std::uint32_t ifindex,
                                bool is_xdp);

std::filesystem::path uplink_xdp_pin(const std::filesystem::path& folder, std::uint32_t ifindex);

} // namespace weir
