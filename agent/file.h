// SPDX-License-Identifier: Apache-2.0
// Whole files, replaced in one step.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "loader/result.h"

namespace weir {

Result<std::string> read_whole_file(const std::filesystem::path& file);
// Written beside it as <file>.new, synced and renamed into place.
Result<> replace_file(const std::filesystem::path& file, const std::string& text, mode_t mode);

} // namespace weir
