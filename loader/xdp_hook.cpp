// SPDX-License-Identifier: Apache-2.0
#include "loader/xdp_hook.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>

#include "loader/bpffs.h"
#include "loader/fd.h"
#include "loader/pinned_link.h"

namespace weir {
namespace {

std::string describe(const char* operation, std::uint32_t ifindex) {
    return std::string(operation) + " the XDP link of interface " + std::to_string(ifindex);
}

Result<bool> is_on_interface(const Fd& link, std::uint32_t ifindex) {
    bpf_link_info info{};
    std::uint32_t length = sizeof(info);
    if (bpf_link_get_info_by_fd(link.value(), &info, &length) != 0)
        return failure_errno(describe("read", ifindex));
    return info.type == BPF_LINK_TYPE_XDP && info.xdp.ifindex == ifindex;
}

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
    auto link = open_pin(pin);
    if (!link) return std::unexpected(std::move(link.error()));
    if (link->is_open()) {
        auto is_alive = is_on_interface(*link, ifindex);
        if (!is_alive) return std::unexpected(std::move(is_alive.error()));
        if (*is_alive) {
            if (bpf_link_update(link->value(), program_fd, nullptr) != 0)
                return failure_errno(describe("update", ifindex));
            return std::string();
        }
        if (auto done = detach_pinned_link(pin); !done) return std::unexpected(done.error());
    }
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
    const Fd made(bpf_link_create(program_fd, static_cast<int>(ifindex), BPF_XDP, &options));
    if (!made.is_open()) {
        const int code = errno;
        if (auto why = refusal(code); !why.empty()) return why;
        return failure_errno(describe("create", ifindex), code);
    }
    if (auto pinned = replace_pin(made.value(), pin); !pinned)
        return std::unexpected(std::move(pinned.error())); // and the link goes with its fd
    return std::string();
}

Result<bool> is_xdp_hook_attached(std::uint32_t ifindex, const std::filesystem::path& pin) {
    auto link = open_pin(pin);
    if (!link) return std::unexpected(std::move(link.error()));
    if (!link->is_open()) return false;
    return is_on_interface(*link, ifindex);
}

} // namespace weir
