// SPDX-License-Identifier: Apache-2.0
#include "loader/pinned_link.h"

#include <bpf/bpf.h>

#include "loader/bpffs.h"
#include "loader/fd.h"

namespace weir {

Result<> detach_pinned_link(const std::filesystem::path& pin) {
    auto link = open_pin(pin);
    if (!link) return std::unexpected(std::move(link.error()));
    if (!link->is_open()) return {};
    // Whoever else may hold the link: off means off. ENOLINK: its interface is gone.
    if (bpf_link_detach(link->value()) != 0 && errno != ENOLINK)
        return failure_errno("detach the link pinned at " + pin.string());
    if (auto removed = remove_pin(pin); !removed) return std::unexpected(removed.error());
    return {};
}

} // namespace weir
