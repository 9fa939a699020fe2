// SPDX-License-Identifier: Apache-2.0
#include "loader/tcx_hook.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "loader/bpffs.h"
#include "loader/fd.h"
#include "loader/interface_link.h"

namespace weir {
namespace {

// What the pod sends comes in at the host side of its veth.
bpf_attach_type hook_of(weir_direction direction) {
    return direction == WEIR_EGRESS ? BPF_TCX_INGRESS : BPF_TCX_EGRESS;
}

} // namespace

Result<TcxOutcome> attach_tcx_hook(std::uint32_t ifindex, weir_direction direction, int program_fd,
                                   const std::filesystem::path& pin) {
    auto updated = update_interface_link(pin, BPF_LINK_TYPE_TCX, ifindex, program_fd);
    if (!updated) return std::unexpected(std::move(updated.error()));
    if (*updated) return TcxOutcome::kReplaced;
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = BPF_F_BEFORE);
    const Fd made(
        bpf_link_create(program_fd, static_cast<int>(ifindex), hook_of(direction), &options));
    if (!made.is_open()) {
        if (errno == EINVAL || errno == EOPNOTSUPP) return TcxOutcome::kUnsupported;
        return failure_errno(describe_link("create", BPF_LINK_TYPE_TCX, ifindex));
    }
    if (auto pinned = replace_pin(made.value(), pin); !pinned)
        return std::unexpected(std::move(pinned.error())); // and the link goes with its fd
    return TcxOutcome::kAttached;
}

} // namespace weir
