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

// A tc hook of an interface: by the name that it has at a pod's, with what its pins are called.
struct TcHook {
    weir_direction direction;
    const char* link;
    const char* filter;
};
constexpr TcHook kIn{WEIR_EGRESS, "-tc", "-clsact"};
constexpr TcHook kOut{WEIR_INGRESS, "-out", "-clsact-out"};
constexpr const char* kQdisc = "-qdisc";

fs::path pin_of(const fs::path& folder, std::uint32_t ifindex, const char* suffix) {
    return folder / (std::to_string(ifindex) + suffix);
}

Result<bool> is_pinned(const fs::path& pin) {
    auto there = open_pin(pin);
    if (!there) return std::unexpected(std::move(there.error()));
    return there->is_open();
}

Result<> attach_clsact(const fs::path& folder, std::uint32_t ifindex, const TcHook& hook,
                       int program_fd) {
    auto is_qdisc_made = ensure_clsact(ifindex);
    if (!is_qdisc_made) return std::unexpected(std::move(is_qdisc_made.error()));
    if (*is_qdisc_made)
        if (auto pinned = replace_pin(program_fd, pin_of(folder, ifindex, kQdisc)); !pinned)
            return pinned;
    // The pin first: a filter without one would be forgotten.
    if (auto pinned = replace_pin(program_fd, pin_of(folder, ifindex, hook.filter)); !pinned)
        return pinned;
    return attach_clsact_hook(ifindex, hook.direction, program_fd);
}

Result<> detach_filter(const fs::path& folder, std::uint32_t ifindex, const TcHook& hook) {
    const auto pin = pin_of(folder, ifindex, hook.filter);
    const auto has_filter = is_pinned(pin);
    if (!has_filter) return std::unexpected(has_filter.error());
    if (!*has_filter) return {};
    if (auto done = detach_clsact_hook(ifindex, hook.direction); !done) return done;
    if (auto removed = remove_pin(pin); !removed) return std::unexpected(removed.error());
    return {};
}

// Once no filter of ours needs it.
Result<> remove_qdisc(const fs::path& folder, std::uint32_t ifindex) {
    const auto pin = pin_of(folder, ifindex, kQdisc);
    const auto has_qdisc = is_pinned(pin);
    if (!has_qdisc) return std::unexpected(has_qdisc.error());
    if (!*has_qdisc) return {};
    if (auto done = remove_unused_clsact(ifindex); !done) return done;
    if (auto removed = remove_pin(pin); !removed) return std::unexpected(removed.error());
    return {};
}

Result<> detach_clsact(const fs::path& folder, std::uint32_t ifindex) {
    auto in = detach_filter(folder, ifindex, kIn);
    auto out = detach_filter(folder, ifindex, kOut);
    if (!in) return in;
    return out ? remove_qdisc(folder, ifindex) : out;
}

Result<TcxOutcome> attach_tcx(const fs::path& folder, std::uint32_t ifindex, const TcHook& hook,
                              int program_fd) {
    return attach_tcx_hook(ifindex, hook.direction, program_fd, pin_of(folder, ifindex, hook.link));
}

Result<bool> is_attached(const fs::path& folder, std::uint32_t ifindex, const TcHook& hook) {
    auto is_link =
        is_interface_link(pin_of(folder, ifindex, hook.link), BPF_LINK_TYPE_TCX, ifindex);
    if (!is_link || *is_link) return is_link;
    auto is_filter = is_pinned(pin_of(folder, ifindex, hook.filter));
    if (!is_filter || !*is_filter) return is_filter;
    return is_clsact_hook_attached(ifindex, hook.direction);
}

} // namespace

fs::path uplink_xdp_pin(const fs::path& folder, std::uint32_t ifindex) {
    return pin_of(folder, ifindex, "-xdp");
}

Result<> attach_uplink_tc(const fs::path& folder, std::uint32_t ifindex, int in_fd, int out_fd) {
    // The egress first: what the ingress lets by may be answered at once.
    auto outcome = attach_tcx(folder, ifindex, kOut, out_fd);
    if (outcome && *outcome != TcxOutcome::kUnsupported)
        outcome = attach_tcx(folder, ifindex, kIn, in_fd);
    if (!outcome) return std::unexpected(std::move(outcome.error()));
    if (*outcome != TcxOutcome::kUnsupported)
        return detach_clsact(folder, ifindex); // of an agent that used it
    auto out = attach_clsact(folder, ifindex, kOut, out_fd);
    return out ? attach_clsact(folder, ifindex, kIn, in_fd) : out;
}

Result<> detach_uplink_xdp(const fs::path& folder, std::uint32_t ifindex) {
    return detach_pinned_link(uplink_xdp_pin(folder, ifindex));
}

Result<> detach_uplink(const fs::path& folder, std::uint32_t ifindex) {
    auto xdp = detach_uplink_xdp(folder, ifindex);
    auto in = detach_pinned_link(pin_of(folder, ifindex, kIn.link));
    auto out = detach_pinned_link(pin_of(folder, ifindex, kOut.link));
    auto clsact = detach_clsact(folder, ifindex);
    for (auto* done : {&xdp, &in, &out})
        if (!*done) return *done;
    return clsact;
}

Result<bool> is_uplink_attached(const fs::path& folder, std::uint32_t ifindex, bool is_xdp) {
    if (is_xdp) {
        auto is_there =
            is_interface_link(uplink_xdp_pin(folder, ifindex), BPF_LINK_TYPE_XDP, ifindex);
        if (!is_there || !*is_there) return is_there;
    }
    auto is_in = is_attached(folder, ifindex, kIn);
    return is_in && *is_in ? is_attached(folder, ifindex, kOut) : is_in;
}

} // namespace weir
