// SPDX-License-Identifier: Apache-2.0
// One program in one hook of one cgroup, beside whatever others have there.
#pragma once

#include <filesystem>

#include "loader/fd.h"
#include "loader/result.h"

struct bpf_program;

namespace weir {

// Where cgroup v2 is mounted: the first such mount that this process sees.
Result<std::filesystem::path> find_cgroup2_mount();

struct CgroupLink {
    Fd fd;
    bool is_replaced = false; // the link was there, and has this program now
};

// Puts the program into the link pinned there, without a gap, if that is attached to the cgroup;
// else makes the link and pins it; one that is pinned there is taken off first. An empty pin: the
// link lives as long as the fd.
Result<CgroupLink> attach_cgroup_hook(const std::filesystem::path& cgroup,
                                      const bpf_program* program, const std::filesystem::path& pin);

// Whether the pinned link is attached to this cgroup. A link outlives its cgroup.
Result<bool> is_cgroup_hook_attached(const std::filesystem::path& cgroup,
                                     const std::filesystem::path& pin);

} // namespace weir
