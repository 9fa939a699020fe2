// SPDX-License-Identifier: Apache-2.0
#include "loader/xdp_hook.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>

#include "loader/bpffs.h"
#include "loader/fd.h"
#include "loader/interface_link.h"

namespace weir {
namespace {

// Why the kernel does not attach it; empty: a failure that nobody expects.
std::string refusal(int code) {
    switch (code) {
        case EBUSY:
        case EEXIST:
            return "another program has its XDP hook";
        case EOPNOTSUPP:
        case EINVAL:
        case ERANGE:
            return "its driver has no native XDP, or not with its MTU and queues";
        default:
            return {};
    }
}

} // namespace

Result<std::string> attach_xdp_hook(std::uint32_t ifindex, int program_fd,
                                    const std::filesystem::path& pin) {
    auto updated = update_interface_link(pin, BPF_LINK_TYPE_XDP, ifindex, program_fd);
    if (!updated) return std::unexpected(std::move(updated.error()));
    if (*updated) return std::string();
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
    const Fd made(bpf_link_create(program_fd, static_cast<int>(ifindex), BPF_XDP, &options));
    if (!made.is_open()) {
        const int code = errno;
        if (auto why = refusal(code); !why.empty()) return why;
        return failure_errno(describe_link("create", BPF_LINK_TYPE_XDP, ifindex), code);
    }
    if (auto pinned = replace_pin(made.value(), pin); !pinned)
        return std::unexpected(std::move(pinned.error())); // and the link goes with its fd
    return std::string();
}

} // namespace weir
