// SPDX-License-Identifier: Apache-2.0
#include "loader/hooks.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "loader/bpffs.h"
#include "loader/clsact_hook.h"
#include "loader/expedited.h"
#include "loader/interface_link.h"
#include "loader/pinned_link.h"
#include "loader/tcx_hook.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

constexpr weir_direction kDirections[] = {WEIR_EGRESS, WEIR_INGRESS};
constexpr const char* kTcxPins[] = {"-egress", "-ingress"};
constexpr const char* kClsactPins[] = {"-egress-clsact", "-ingress-clsact"};
constexpr const char* kQdiscPin = "-qdisc";

fs::path pin_of(const fs::path& folder, std::uint32_t ifindex, const char* suffix) {
    return folder / (std::to_string(ifindex) + suffix);
}

Result<> detach_tcx(const fs::path& folder, std::uint32_t ifindex) {
    for (const char* suffix : kTcxPins)
        if (auto done = detach_pinned_link(pin_of(folder, ifindex, suffix)); !done) return done;
    return {};
}

// Whether this folder's agent ever made a filter there. A pin that cannot be opened counts.
bool has_clsact_pin(const fs::path& folder, std::uint32_t ifindex) {
    return std::ranges::any_of(kClsactPins, [&](const char* suffix) {
        const auto pin = open_pin(pin_of(folder, ifindex, suffix));
        return !pin || pin->is_open();
    });
}

// Filters first, then the qdisc if it is ours, then the pins that tell of them.
Result<> detach_clsact(const fs::path& folder, std::uint32_t ifindex) {
    if (has_clsact_pin(folder, ifindex))
        for (const weir_direction direction : kDirections)
            if (auto done = detach_clsact_hook(ifindex, direction); !done) return done;
    auto qdisc = open_pin(pin_of(folder, ifindex, kQdiscPin));
    if (!qdisc) return std::unexpected(std::move(qdisc.error()));
    if (qdisc->is_open())
        if (auto done = remove_unused_clsact(ifindex); !done) return done;
    for (const char* suffix : {kClsactPins[0], kClsactPins[1], kQdiscPin})
        if (auto done = remove_pin(pin_of(folder, ifindex, suffix)); !done)
            return std::unexpected(std::move(done.error()));
    return {};
}

// How many of the two hooks have our program, by means of this kind.
Result<int> count_hooks(const fs::path& folder, std::uint32_t ifindex, HookKind kind) {
    if (kind == HookKind::kClsact && !has_clsact_pin(folder, ifindex)) return 0;
    int count = 0;
    for (const weir_direction direction : kDirections) {
        const auto pin = pin_of(folder, ifindex, kTcxPins[direction]);
        auto hook = kind == HookKind::kTcx ? is_interface_link(pin, BPF_LINK_TYPE_TCX, ifindex)
                                           : is_clsact_hook_attached(ifindex, direction);
        if (!hook) return std::unexpected(std::move(hook.error()));
        count += *hook ? 1 : 0;
    }
    return count;
}

} // namespace

Hooks::Hooks(fs::path folder, int egress_program, int ingress_program, HookKind kind)
    : folder_(std::move(folder)), programs_{egress_program, ingress_program}, kind_(kind) {}

Result<> Hooks::attach(std::uint32_t ifindex) {
    std::error_code error;
    fs::create_directories(folder_, error);
    if (error) return failure_errno("make the folder " + folder_.string(), error.value());
    if (kind_ == HookKind::kClsact) return attach_clsact(ifindex);
    return attach_tcx(ifindex);
}

Result<> Hooks::attach_tcx(std::uint32_t ifindex) {
    const ExpeditedGracePeriods expedited;
    std::vector<fs::path> made;
    const auto undo = [&made] {
        for (const auto& pin : made)
            (void)detach_pinned_link(pin);
    };
    for (const weir_direction direction : kDirections) {
        const auto pin = pin_of(folder_, ifindex, kTcxPins[direction]);
        auto outcome = attach_tcx_hook(ifindex, direction, programs_[direction], pin);
        if (outcome && *outcome == TcxOutcome::kAttached) made.push_back(pin);
        if (outcome && *outcome != TcxOutcome::kUnsupported) continue;
        undo();
        if (!outcome) return std::unexpected(std::move(outcome.error()));
        if (kind_ == HookKind::kAuto) return attach_clsact(ifindex);
        return failure("tcx needs Linux 6.6 or newer");
    }
    return detach_clsact(folder_, ifindex); // of an agent that used it
}

Result<> Hooks::attach_clsact(std::uint32_t ifindex) {
    const bool was_attached = has_clsact_pin(folder_, ifindex);
    const auto attach_both = [&]() -> Result<> {
        auto is_qdisc_made = ensure_clsact(ifindex);
        if (!is_qdisc_made) return std::unexpected(std::move(is_qdisc_made.error()));
        if (*is_qdisc_made)
            if (auto pinned =
                    replace_pin(programs_[WEIR_EGRESS], pin_of(folder_, ifindex, kQdiscPin));
                !pinned)
                return pinned;
        for (const weir_direction direction : kDirections) {
            // The pin first: a filter without one would be forgotten.
            const auto pin = pin_of(folder_, ifindex, kClsactPins[direction]);
            if (auto pinned = replace_pin(programs_[direction], pin); !pinned) return pinned;
            if (auto done = attach_clsact_hook(ifindex, direction, programs_[direction]); !done)
                return done;
        }
        return detach_tcx(folder_, ifindex); // of an agent that used it
    };
    auto attached = attach_both();
    if (!attached && !was_attached) (void)detach_clsact(folder_, ifindex);
    return attached;
}

Result<> Hooks::replace_all() {
    auto interfaces = survey();
    if (!interfaces) return std::unexpected(std::move(interfaces.error()));
    for (const auto& found : *interfaces)
        if (auto attached = attach(found.interface.ifindex); !attached) return attached;
    return {};
}

Result<std::vector<AttachedInterface>> Hooks::list() {
    auto found = survey();
    if (!found) return std::unexpected(std::move(found.error()));
    std::vector<AttachedInterface> interfaces;
    for (const auto& [interface, hooks] : *found)
        if (hooks == WEIR_DIRECTIONS) interfaces.push_back(interface);
    return interfaces;
}

Result<std::vector<Hooks::Found>> Hooks::survey() {
    std::vector<Found> interfaces;
    for (const std::uint32_t ifindex : pinned_interfaces(folder_)) {
        Found best{{ifindex, HookKind::kTcx}, 0};
        for (const HookKind kind : {HookKind::kTcx, HookKind::kClsact}) {
            auto hooks = count_hooks(folder_, ifindex, kind);
            if (!hooks) return std::unexpected(std::move(hooks.error()));
            if (*hooks > best.hooks) best = {{ifindex, kind}, *hooks};
        }
        if (best.hooks > 0) {
            interfaces.push_back(best);
        } else if (auto done = detach_hooks(folder_, ifindex); !done) {
            return std::unexpected(std::move(done.error()));
        }
    }
    return interfaces;
}

Result<> detach_hooks(const fs::path& folder, std::uint32_t ifindex) {
    const ExpeditedGracePeriods expedited;
    auto tcx = detach_tcx(folder, ifindex);
    auto clsact = detach_clsact(folder, ifindex);
    return tcx ? clsact : tcx;
}

std::set<std::uint32_t> pinned_interfaces(const fs::path& folder) {
    std::set<std::uint32_t> interfaces;
    for (const auto& name : list_pins(folder)) {
        std::uint32_t ifindex = 0;
        const char* end = name.data() + name.size();
        const auto parsed = std::from_chars(name.data(), end, ifindex);
        if (parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == '-')
            interfaces.insert(ifindex);
    }
    return interfaces;
}

} // namespace weir
