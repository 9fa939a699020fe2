// SPDX-License-Identifier: Apache-2.0
// The programs on an uplink: the tc program at its ingress and, before it, the XDP program. What is
// attached is known from the pins alone: <folder>/<ifindex>-xdp and <ifindex>-tc are links,
// <ifindex>-clsact stands for a filter (it pins the program), <ifindex>-qdisc says that the clsact
// qdisc is ours.
#pragma once

#include <cstdint>
#include <filesystem>

#include "loader/result.h"

namespace weir {

// Puts the program in place of whichever is there, or makes the hook: a tcx link or, before Linux
// 6.6, a clsact filter.
Result<> attach_uplink_tc(const std::filesystem::path& folder, std::uint32_t ifindex,
                          int program_fd);
Result<> detach_uplink_xdp(const std::filesystem::path& folder, std::uint32_t ifindex);
// Both programs. By the pins alone; an interface that is gone is no error.
Result<> detach_uplink(const std::filesystem::path& folder, std::uint32_t ifindex);
// Whether both, or the tc program alone (without is_xdp), are where they were put.
Result<bool> is_uplink_attached(const std::filesystem::path& folder, std::uint32_t ifindex,
                                bool is_xdp);

std::filesystem::path uplink_xdp_pin(const std::filesystem::path& folder, std::uint32_t ifindex);

} // namespace weir
