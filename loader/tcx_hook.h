// SPDX-License-Identifier: Apache-2.0
// One program in one tcx hook of one interface: a pinned link, first in the chain.
#pragma once

#include <cstdint>
#include <filesystem>

#include "bpf/abi.h"
#include "loader/result.h"

namespace weir {

enum class TcxOutcome { kReplaced, kAttached, kUnsupported };

// Puts the program into the link pinned there, without a gap, or makes the link and pins it.
Result<TcxOutcome> attach_tcx_hook(std::uint32_t ifindex, weir_direction direction, int program_fd,
                                   const std::filesystem::path& pin);

} // namespace weir
