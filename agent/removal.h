// SPDX-License-Identifier: Apache-2.0
// Takes Weir off this node: for `weir cleanup`, and for an agent whose installation is removed.
#pragma once

#include <filesystem>

#include "loader/dataplane.h"
#include "loader/result.h"

namespace weir {

// Removes every hook, pin and file of an agent's; nothing is judged after that. The caller holds
// the run lock. Fails at the first hook or pin that stays.
Result<Removed> remove_from_node(const std::filesystem::path& run_dir,
                                 const std::filesystem::path& bpffs);

} // namespace weir
