// SPDX-License-Identifier: Apache-2.0
// The pinned BPF link of an interface: what tcx and XDP hooks have in common.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "loader/result.h"

namespace weir {

// A failure's beginning: "create the XDP link of interface 4".
std::string describe_link(const char* operation, bpf_link_type type, std::uint32_t ifindex);

// Whether a link is pinned at `pin` that is still attached to the interface; an interface that went
// takes its link's attachment along, not the pin.
Result<bool> is_interface_link(const std::filesystem::path& pin, bpf_link_type type,
                               std::uint32_t ifindex);

// Puts the program into the pinned link, without a moment in which none is attached. False: there
// is none for this interface, and a pin that was left of another is gone.
Result<bool> update_interface_link(const std::filesystem::path& pin, bpf_link_type type,
                                   std::uint32_t ifindex, int program_fd);

} // namespace weir
