// SPDX-License-Identifier: Apache-2.0
#include "loader/version_folder.h"

#include <string>

#include "bpf/abi.h"
#include "loader/bpffs.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

const std::string kVersionFolder = "v" + std::to_string(WEIR_ABI_VERSION);

Result<> refuse_other_versions(const fs::path& bpffs) {
    for (const auto& name : list_pins(bpffs))
        if (name != kVersionFolder && is_version_folder(name))
            return failure((bpffs / name).string() +
                           " holds the state of another version of Weir, with another layout (this "
                           "one: " +
                           kVersionFolder +
                           "): run that version, or drain the node and `weir cleanup` first");
    return {};
}

} // namespace

Result<fs::path> prepare_version_folder(const fs::path& bpffs) {
    if (bpffs.empty()) return fs::path();
    if (auto ready = ensure_bpffs(bpffs); !ready) return std::unexpected(std::move(ready.error()));
    if (auto clear = refuse_other_versions(bpffs); !clear)
        return std::unexpected(std::move(clear.error()));
    fs::path folder = bpffs / kVersionFolder;
    std::error_code error;
    fs::create_directories(folder / "programs", error);
    if (error) return failure_errno("make the folder " + folder.string(), error.value());
    return folder;
}

} // namespace weir
