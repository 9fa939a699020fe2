// SPDX-License-Identifier: Apache-2.0
#include "loader/clsact_hook.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>

#include <array>
#include <string>
#include <string_view>

#include "loader/fd.h"
#include "loader/log_capture.h"
#include "loader/tc_query.h"

namespace weir {
namespace {

constexpr std::uint32_t kPriority = 1;
constexpr std::uint32_t kHandle = 0x57454952;      // "WEIR"
constexpr std::string_view kOurPrograms = "weir_"; // of pods and uplinks

bpf_tc_hook hook_of(std::uint32_t ifindex, bpf_tc_attach_point point) {
    bpf_tc_hook hook{};
    hook.sz = sizeof(hook);
    hook.ifindex = static_cast<int>(ifindex);
    hook.attach_point = point;
    return hook;
}

bpf_tc_hook hook_of(std::uint32_t ifindex, weir_direction direction) {
    return hook_of(ifindex, direction == WEIR_EGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS);
}

bpf_tc_opts our_filter() {
    bpf_tc_opts options{};
    options.sz = sizeof(options);
    options.handle = kHandle;
    options.priority = kPriority;
    return options;
}

std::string name_of(std::uint32_t ifindex) {
    std::array<char, IF_NAMESIZE> name{};
    return if_indextoname(ifindex, name.data()) != nullptr ? name.data() : std::to_string(ifindex);
}

bool is_our_program(std::uint32_t id) {
    const Fd program(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info{};
    std::uint32_t length = sizeof(info);
    return program.is_open() && bpf_prog_get_info_by_fd(program.value(), &info, &length) == 0 &&
           std::string_view(info.name).starts_with(kOurPrograms);
}

enum class Occupant { kNobody, kWeir, kForeign };

Result<Occupant> occupant(std::uint32_t ifindex, weir_direction direction) {
    const LogCapture quiet;
    const auto hook = hook_of(ifindex, direction);
    auto filter = our_filter();
    const int error = bpf_tc_query(&hook, &filter);
    // EINVAL: no clsact; ENODEV: no interface.
    if (error == -ENOENT || error == -EINVAL || error == -ENODEV) return Occupant::kNobody;
    if (error != 0) return failure_errno("query the filter of " + name_of(ifindex), -error);
    return is_our_program(filter.prog_id) ? Occupant::kWeir : Occupant::kForeign;
}

} // namespace

Result<bool> ensure_clsact(std::uint32_t ifindex) {
    auto qdisc = ingress_qdisc(ifindex);
    if (!qdisc) return std::unexpected(std::move(qdisc.error()));
    if (*qdisc == "clsact") return false;
    if (!qdisc->empty())
        return failure("interface " + name_of(ifindex) + " has the qdisc \"" + *qdisc +
                       "\" where clsact must be: remove it (tc qdisc del dev " + name_of(ifindex) +
                       " ingress) and attach its filters to clsact, or use Linux 6.6 or newer");
    const LogCapture quiet;
    auto hook = hook_of(ifindex, static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
    const int error = bpf_tc_hook_create(&hook);
    if (error != 0 && error != -EEXIST)
        return failure_errno("add clsact to interface " + name_of(ifindex), -error);
    return error == 0;
}

Result<> remove_unused_clsact(std::uint32_t ifindex) {
    auto qdisc = ingress_qdisc(ifindex);
    if (!qdisc) return std::unexpected(std::move(qdisc.error()));
    if (*qdisc != "clsact") return {};
    auto is_used = has_filters(ifindex);
    if (!is_used) return std::unexpected(std::move(is_used.error()));
    if (*is_used) return {};
    const LogCapture quiet;
    auto hook = hook_of(ifindex, static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
    const int error = bpf_tc_hook_destroy(&hook);
    if (error == 0 || error == -ENOENT || error == -EINVAL || error == -ENODEV) return {};
    return failure_errno("remove clsact from interface " + name_of(ifindex), -error);
}

Result<> attach_clsact_hook(std::uint32_t ifindex, weir_direction direction, int program_fd) {
    auto there = occupant(ifindex, direction);
    if (!there) return std::unexpected(std::move(there.error()));
    if (*there == Occupant::kForeign)
        return failure("interface " + name_of(ifindex) +
                       " has a foreign filter of priority 1 and handle 0x57454952: remove it");
    const LogCapture log;
    const auto hook = hook_of(ifindex, direction);
    auto filter = our_filter();
    filter.prog_fd = program_fd;
    filter.flags = BPF_TC_F_REPLACE;
    if (const int error = bpf_tc_attach(&hook, &filter); error != 0)
        return failure_errno("attach a filter to " + name_of(ifindex) + ": " + log.tail(), -error);
    return {};
}

Result<> detach_clsact_hook(std::uint32_t ifindex, weir_direction direction) {
    auto there = occupant(ifindex, direction);
    if (!there) return std::unexpected(std::move(there.error()));
    if (*there != Occupant::kWeir) return {};
    const LogCapture quiet;
    const auto hook = hook_of(ifindex, direction);
    const auto filter = our_filter();
    const int error = bpf_tc_detach(&hook, &filter);
    if (error == 0 || error == -ENOENT || error == -EINVAL || error == -ENODEV) return {};
    return failure_errno("detach the filter of " + name_of(ifindex), -error);
}

Result<bool> is_clsact_hook_attached(std::uint32_t ifindex, weir_direction direction) {
    auto there = occupant(ifindex, direction);
    if (!there) return std::unexpected(std::move(there.error()));
    return *there == Occupant::kWeir;
}

} // namespace weir
