// SPDX-License-Identifier: Apache-2.0
// One program in the native XDP hook of one interface, as a pinned link.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "loader/result.h"

namespace weir {

// Puts the program into the link pinned there, without a gap, or makes the link and pins it.
// Returns why the interface has no native XDP for it; empty: it is attached.
Result<std::string> attach_xdp_hook(std::uint32_t ifindex, int program_fd,
                                    const std::filesystem::path& pin);

} // namespace weir
