// SPDX-License-Identifier: Apache-2.0
// The tree of commands, also for those who only want to look at it (completion and its test).
#pragma once

#include <memory>

#include "agent/cli/command.h"

namespace weir::cli {

// The options must outlive the tree.
std::unique_ptr<CLI::App> command_tree(Options& options);

} // namespace weir::cli
