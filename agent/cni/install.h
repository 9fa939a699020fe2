// SPDX-License-Identifier: Apache-2.0
// Puts weir-cni on a node and takes it off again: the program into the runtime's folder of plugins,
// and a line into the network configuration that the runtime uses. Every file is replaced in one
// step, and at no moment is there a configuration less.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "loader/result.h"

namespace weir {

struct CniPlaces {
    std::filesystem::path conf_dir; // /etc/cni/net.d
    std::filesystem::path bin_dir;  // /opt/cni/bin
    std::filesystem::path program;  // weir-cni to copy from
    std::string socket;             // of the agent
};

// weir-cni beside the running program.
std::filesystem::path default_cni_program();

struct Installed {
    std::filesystem::path conflist; // empty: there is no configuration to chain it into yet
    bool is_changed = false;        // false: everything was as it should be
};

// Chains it into the first configuration by name that a runtime can use, as runtimes choose it. A
// single plugin (NAME.conf, NAME.json) becomes NAME.conflist, and is kept as <file>.weir-saved.
Result<Installed> install_cni(const CniPlaces& places);

// Takes weir-cni out of all configurations of the folder, and the program away. A file that nobody
// changed since is as it was before, to the byte. Returns the files changed; again: none.
Result<std::vector<std::filesystem::path>> uninstall_cni(const CniPlaces& places);

} // namespace weir
