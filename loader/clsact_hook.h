// SPDX-License-Identifier: Apache-2.0
// One program in one clsact hook of one interface, for kernels before 6.6: a direct-action filter
// of a priority before all others and a handle of our own.
#pragma once

#include <cstdint>

#include "bpf/abi.h"
#include "loader/result.h"

namespace weir {

// Makes sure that the interface has a clsact qdisc; returns whether it was made here. An ingress
// qdisc in its place, which has no side for what the pod receives, is an error.
Result<bool> ensure_clsact(std::uint32_t ifindex);
// Removes the qdisc unless somebody's filter is attached to it. Nothing there is no error.
Result<> remove_unused_clsact(std::uint32_t ifindex);

// Puts the program in place of ours, without a gap, or makes the filter. A foreign filter with our
// priority and handle is an error.
Result<> attach_clsact_hook(std::uint32_t ifindex, weir_direction direction, int program_fd);
// Nothing there, or somebody else's, is no error.
Result<> detach_clsact_hook(std::uint32_t ifindex, weir_direction direction);
Result<bool> is_clsact_hook_attached(std::uint32_t ifindex, weir_direction direction);

} // namespace weir
