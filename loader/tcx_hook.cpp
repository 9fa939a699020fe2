// SPDX-License-Identifier: Apache-2.0
#include "loader/tcx_hook.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "loader/bpffs.h"
#include "loader/fd.h"

namespace weir {
namespace {

// What the pod sends comes in at the host side of its veth.
bpf_attach_type hook_of(weir_direction direction) {
    return direction == WEIR_EGRESS ? BPF_TCX_INGRESS : BPF_TCX_EGRESS;
}

std::string describe(const char* operation, std::uint32_t ifindex) {
    return std::string(operation) + " the tcx link of interface " + std::to_string(ifindex);
}

Result<bool> is_on_interface(const Fd& link, std::uint32_t ifindex) {
    bpf_link_info info{};
    std::uint32_t length = sizeof(info);
    if (bpf_link_get_info_by_fd(link.value(), &info, &length) != 0)
        return failure_errno(describe("read", ifindex));
    return info.type == BPF_LINK_TYPE_TCX && info.tcx.ifindex == ifindex;
}

} // namespace

Result<TcxOutcome> attach_tcx_hook(std::uint32_t ifindex, weir_direction direction, int program_fd,
                                   const std::filesystem::path& pin) {
    auto link = open_pin(pin);
    if (!link) return std::unexpected(std::move(link.error()));
    if (link->is_open()) {
        auto is_alive = is_on_interface(*link, ifindex);
        if (!is_alive) return std::unexpected(std::move(is_alive.error()));
        if (*is_alive) {
            if (bpf_link_update(link->value(), program_fd, nullptr) != 0)
                return failure_errno(describe("update", ifindex));
            return TcxOutcome::kReplaced;
        }
        if (auto removed = remove_pin(pin); !removed) return std::unexpected(removed.error());
    }
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = BPF_F_BEFORE);
    const Fd made(
        bpf_link_create(program_fd, static_cast<int>(ifindex), hook_of(direction), &options));
    if (!made.is_open()) {
        if (errno == EINVAL || errno == EOPNOTSUPP) return TcxOutcome::kUnsupported;
        return failure_errno(describe("create", ifindex));
    }
    if (auto pinned = replace_pin(made.value(), pin); !pinned)
        return std::unexpected(std::move(pinned.error())); // and the link goes with its fd
    return TcxOutcome::kAttached;
}

Result<bool> is_tcx_hook_attached(std::uint32_t ifindex, const std::filesystem::path& pin) {
    auto link = open_pin(pin);
    if (!link) return std::unexpected(std::move(link.error()));
    if (!link->is_open()) return false;
    return is_on_interface(*link, ifindex);
}

} // namespace weir
