// SPDX-License-Identifier: Apache-2.0
// The two programs on the host sides of veths, both or none on each. What is attached is known from
// the pins alone: <folder>/<ifindex>-<egress|ingress> is a tcx link, <...>-clsact stands for a
// filter (it pins the program), <ifindex>-qdisc says that the clsact qdisc is ours.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <vector>

#include "loader/dataplane.h"
#include "loader/result.h"

namespace weir {

class Hooks {
public:
    // folder: where the pins are, made when it is first needed. The programs' fds are not ours.
    Hooks(std::filesystem::path folder, int egress_program, int ingress_program, HookKind kind);

    Result<> attach(std::uint32_t ifindex);
    // Puts the programs in place of whichever are in any hook.
    Result<> replace_all();
    // Interfaces with both hooks in place.
    Result<std::vector<AttachedInterface>> list();

private:
    struct Found {
        AttachedInterface interface;
        int hooks = 0; // in place: 1 or 2
    };
    // Interfaces with a hook in place. Removes the pins of those that are gone.
    Result<std::vector<Found>> survey();
    Result<> attach_tcx(std::uint32_t ifindex);
    Result<> attach_clsact(std::uint32_t ifindex);

    std::filesystem::path folder_;
    int programs_[WEIR_DIRECTIONS];
    HookKind kind_;
};

// By the pins in the folder alone. An interface that is gone is no error.
Result<> detach_hooks(const std::filesystem::path& folder, std::uint32_t ifindex);
// Interfaces that have any pin in the folder.
std::set<std::uint32_t> pinned_interfaces(const std::filesystem::path& folder);

} // namespace weir
