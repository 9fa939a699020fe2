// SPDX-License-Identifier: Apache-2.0
// Where the pins of this version lie.
#pragma once

#include <filesystem>

#include "loader/result.h"

namespace weir {

// <bpffs>/v<ABI version>, made, on a bpffs that is mounted if need be. Refuses if there are pins of
// another version. An empty path yields an empty one: nothing is pinned.
Result<std::filesystem::path> prepare_version_folder(const std::filesystem::path& bpffs);

} // namespace weir
