// SPDX-License-Identifier: Apache-2.0
// `weir cleanup`: by what is pinned alone, so that it works without programs or an agent.
#include <string>

#include "loader/bpffs.h"
#include "loader/dataplane.h"
#include "loader/hooks.h"
#include "loader/service_dataplane.h"
#include "loader/uplink_dataplane.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

Result<std::uint32_t> remove_tree(const fs::path& folder) {
    std::uint32_t removed = 0;
    for (const auto& name : list_pins(folder)) {
        const fs::path path = folder / name;
        std::error_code error;
        if (fs::is_directory(fs::symlink_status(path, error))) {
            auto inside = remove_tree(path);
            if (!inside) return inside;
            removed += *inside;
        } else {
            ++removed;
        }
        fs::remove(path, error);
        if (error) return failure_errno("remove " + path.string(), error.value());
    }
    return removed;
}

} // namespace

Result<Removed> remove_everything(const fs::path& bpffs) {
    Removed removed;
    for (const auto& version : list_pins(bpffs)) {
        if (!is_version_folder(version)) continue;
        const fs::path folder = bpffs / version;
        for (const std::uint32_t ifindex : pinned_interfaces(folder / "links")) {
            if (auto done = detach_hooks(folder / "links", ifindex); !done)
                return std::unexpected(std::move(done.error()));
            ++removed.interfaces;
        }
        if (auto done = detach_services(folder); !done)
            return std::unexpected(std::move(done.error()));
        if (auto done = detach_uplinks(folder); !done)
            return std::unexpected(std::move(done.error()));
        auto pins = remove_tree(folder);
        if (!pins) return std::unexpected(std::move(pins.error()));
        removed.pins += *pins;
        if (auto done = remove_pin(folder); !done) return std::unexpected(std::move(done.error()));
    }
    std::error_code ignored; // a mount point, or somebody else's things in it, stay
    fs::remove(bpffs, ignored);
    return removed;
}

} // namespace weir
