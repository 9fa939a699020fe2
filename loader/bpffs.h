// SPDX-License-Identifier: Apache-2.0
// Folders and pins on bpffs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "loader/fd.h"
#include "loader/result.h"

namespace weir {

// Makes the folder, mounting bpffs on it (or on the kernel's own place for it) if it lies on none.
Result<> ensure_bpffs(const std::filesystem::path& folder);

// Opens what is pinned there; a closed Fd if nothing is.
Result<Fd> open_pin(const std::filesystem::path& pin);
// Puts the object there; with a pin in the way, that is replaced at once.
Result<> replace_pin(int fd, const std::filesystem::path& pin);
// Nothing there is no error. Whether there was something.
Result<bool> remove_pin(const std::filesystem::path& pin);
// Names in the folder; none if there is no folder.
std::vector<std::string> list_pins(const std::filesystem::path& folder);
// Whether it is a folder of one ABI version: "v1".
bool is_version_folder(const std::string& name);

} // namespace weir
