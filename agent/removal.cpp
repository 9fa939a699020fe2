// SPDX-License-Identifier: Apache-2.0
#include "agent/removal.h"

#include <system_error>

namespace weir {

Result<Removed> remove_from_node(const std::filesystem::path& run_dir,
                                 const std::filesystem::path& bpffs) {
    auto removed = remove_everything(bpffs);
    if (!removed) return removed;
    // The files that an agent writes, the lock last; the folder only if nothing else is in it.
    std::error_code ignored;
    for (const char* name : {"weir.sock", "cni.sock", "endpoints.json", "manifests", "weir.lock"}) {
        std::filesystem::remove_all(run_dir / name, ignored);
    }
    std::filesystem::remove(run_dir, ignored);
    return removed;
}

} // namespace weir
