// SPDX-License-Identifier: Apache-2.0
#include "loader/uplink_hooks.h"

#include <string>

#include "loader/bpffs.h"
#include "loader/clsact_hook.h"
#include "loader/interface_link.h"
#include "loader/pinned_link.h"
#include "loader/tcx_hook.h"
#include "loader/xdp_hook.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

// The tc ingress of an interface, by the name that it has at a pod's.
constexpr weir_direction kIngress = WEIR_EGRESS;

fs::path pin_of(const fs::path& folder, std::uint32_t ifindex, const char* suffix) {
    return folder / (std::to_string(ifindex) + suffix);
}

Result<bool> is_pinned(const fs::path& pin) {
    auto there = open_pin(pin);
    if (!there) return std::unexpected(std::move(there.error()));
    return there->is_open();
}

Result<> attach_clsact(const fs::path& folder, std::uint32_t ifindex, int program_fd) {
    auto is_qdisc_made = ensure_clsact(ifindex);
    if (!is_qdisc_made) return std::unexpected(std::move(is_qdisc_made.error()));
    if (*is_qdisc_made)
        if (auto pinned = replace_pin(program_fd, pin_of(folder, ifindex, "-qdisc")); !pinned)
            return pinned;
    // The pin first: a filter without one would be forgotten.
    if (auto pinned = replace_pin(program_fd, pin_of(folder, ifindex, "-clsact")); !pinned)
        return pinned;
    return attach_clsact_hook(ifindex, kIngress, program_fd);
}

Result<> detach_clsact(const fs::path& folder, std::uint32_t ifindex) {
    const auto filter = pin_of(folder, ifindex, "-clsact");
    const auto qdisc = pin_of(folder, ifindex, "-qdisc");
    const auto has_filter = is_pinned(filter);
    const auto has_qdisc = is_pinned(qdisc);
    if (!has_filter) return std::unexpected(has_filter.error());
    if (!has_qdisc) return std::unexpected(has_qdisc.error());
    if (*has_filter)
        if (auto done = detach_clsact_hook(ifindex, kIngress); !done) return done;
    if (*has_qdisc)
        if (auto done = remove_unused_clsact(ifindex); !done) return done;
    for (const auto& pin : {filter, qdisc})
        if (auto removed = remove_pin(pin); !removed) return std::unexpected(removed.error());
    return {};
}

} // namespace

fs::path uplink_xdp_pin(const fs::path& folder, std::uint32_t ifindex) {
    return pin_of(folder, ifindex, "-xdp");
}

Result<> attach_uplink_tc(const fs::path& folder, std::uint32_t ifindex, int program_fd) {
    auto outcome = attach_tcx_hook(ifindex, kIngress, program_fd, pin_of(folder, ifindex, "-tc"));
    if (!outcome) return std::unexpected(std::move(outcome.error()));
    if (*outcome == TcxOutcome::kUnsupported) return attach_clsact(folder, ifindex, program_fd);
    return detach_clsact(folder, ifindex); // of an agent that used it
}

Result<> detach_uplink_xdp(const fs::path& folder, std::uint32_t ifindex) {
    return detach_pinned_link(uplink_xdp_pin(folder, ifindex));
}

Result<> detach_uplink(const fs::path& folder, std::uint32_t ifindex) {
    auto xdp = detach_uplink_xdp(folder, ifindex);
    auto tcx = detach_pinned_link(pin_of(folder, ifindex, "-tc"));
    auto clsact = detach_clsact(folder, ifindex);
    if (!xdp) return xdp;
    return tcx ? clsact : tcx;
}

Result<bool> is_uplink_attached(const fs::path& folder, std::uint32_t ifindex, bool is_xdp) {
    if (is_xdp) {
        auto is_there =
            is_interface_link(uplink_xdp_pin(folder, ifindex), BPF_LINK_TYPE_XDP, ifindex);
        if (!is_there || !*is_there) return is_there;
    }
    auto is_there = is_interface_link(pin_of(folder, ifindex, "-tc"), BPF_LINK_TYPE_TCX, ifindex);
    if (!is_there || *is_there) return is_there;
    auto is_filter = is_pinned(pin_of(folder, ifindex, "-clsact"));
    if (!is_filter || !*is_filter) return is_filter;
    return is_clsact_hook_attached(ifindex, kIngress);
}

} // namespace weir
