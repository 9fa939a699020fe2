// SPDX-License-Identifier: Apache-2.0
// A BPF link that a pin keeps alive while no agent runs.
#pragma once

#include <filesystem>

#include "loader/result.h"

namespace weir {

// Takes the link off its hook at once and removes the pin. Nothing there is no error, nor is a link
// whose interface or cgroup is gone.
Result<> detach_pinned_link(const std::filesystem::path& pin);

} // namespace weir
