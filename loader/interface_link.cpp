// SPDX-License-Identifier: Apache-2.0
#include "loader/interface_link.h"

#include <bpf/bpf.h>

#include "loader/bpffs.h"
#include "loader/fd.h"
#include "loader/pinned_link.h"

namespace weir {
namespace {

Result<bool> is_of_interface(const Fd& link, bpf_link_type type, std::uint32_t ifindex) {
    bpf_link_info info{};
    std::uint32_t length = sizeof(info);
    if (bpf_link_get_info_by_fd(link.value(), &info, &length) != 0)
        return failure_errno(describe_link("read", type, ifindex));
    const auto attached = type == BPF_LINK_TYPE_XDP ? info.xdp.ifindex : info.tcx.ifindex;
    return info.type == type && attached == ifindex;
}

} // namespace

std::string describe_link(const char* operation, bpf_link_type type, std::uint32_t ifindex) {
    const char* kind = type == BPF_LINK_TYPE_XDP ? "XDP" : "tcx";
    return std::string(operation) + " the " + kind + " link of interface " +
           std::to_string(ifindex);
}

Result<bool> is_interface_link(const std::filesystem::path& pin, bpf_link_type type,
                               std::uint32_t ifindex) {
    auto link = open_pin(pin);
    if (!link) return std::unexpected(std::move(link.error()));
    if (!link->is_open()) return false;
    return is_of_interface(*link, type, ifindex);
}

Result<bool> update_interface_link(const std::filesystem::path& pin, bpf_link_type type,
                                   std::uint32_t ifindex, int program_fd) {
    auto link = open_pin(pin);
    if (!link) return std::unexpected(std::move(link.error()));
    if (!link->is_open()) return false;
    auto is_alive = is_of_interface(*link, type, ifindex);
    if (!is_alive) return std::unexpected(std::move(is_alive.error()));
    if (!*is_alive) {
        if (auto done = detach_pinned_link(pin); !done) return std::unexpected(done.error());
        return false;
    }
    if (bpf_link_update(link->value(), program_fd, nullptr) != 0)
        return failure_errno(describe_link("update", type, ifindex));
    return true;
}

} // namespace weir
