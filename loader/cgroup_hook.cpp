// SPDX-License-Identifier: Apache-2.0
#include "loader/cgroup_hook.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <mntent.h>
#include <sys/stat.h>

#include <cstdio>
#include <memory>
#include <string_view>

#include "loader/bpffs.h"
#include "loader/pinned_link.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

Result<Fd> open_cgroup(const fs::path& cgroup) {
    Fd fd(::open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.is_open()) return failure_errno("open the cgroup " + cgroup.string());
    return fd;
}

// On 64 bits a cgroup's id is its folder's inode.
Result<bool> is_on_cgroup(const Fd& link, const Fd& cgroup) {
    bpf_link_info info{};
    std::uint32_t length = sizeof(info);
    struct stat status{};
    if (bpf_link_get_info_by_fd(link.value(), &info, &length) != 0)
        return failure_errno("read a cgroup's link");
    if (::fstat(cgroup.value(), &status) != 0) return failure_errno("read a cgroup's id");
    return info.type == BPF_LINK_TYPE_CGROUP && info.cgroup.cgroup_id == status.st_ino;
}

// The pinned link if it is attached to the cgroup; a closed Fd if not.
Result<Fd> open_link(const Fd& cgroup, const fs::path& pin) {
    if (pin.empty()) return Fd();
    auto link = open_pin(pin);
    if (!link || !link->is_open()) return link;
    auto is_there = is_on_cgroup(*link, cgroup);
    if (!is_there) return std::unexpected(std::move(is_there.error()));
    return *is_there ? std::move(*link) : Fd();
}

std::string describe(const char* operation, const bpf_program* program, const fs::path& cgroup) {
    return std::string(operation) + " " + bpf_program__name(program) + " in the cgroup " +
           cgroup.string();
}

} // namespace

Result<fs::path> find_cgroup2_mount() {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> mounts(
        ::setmntent("/proc/self/mounts", "re"), ::endmntent);
    if (!mounts) return failure_errno("read /proc/self/mounts");
    mntent entry{};
    char text[4096];
    while (::getmntent_r(mounts.get(), &entry, text, sizeof(text)) != nullptr)
        if (std::string_view(entry.mnt_type) == "cgroup2") return fs::path(entry.mnt_dir);
    return failure(
        "cgroup v2 is not mounted: mount -t cgroup2 none /sys/fs/cgroup/unified, or name a cgroup "
        "with --cgroup");
}

Result<CgroupLink> attach_cgroup_hook(const fs::path& cgroup, const bpf_program* program,
                                      const fs::path& pin) {
    auto folder = open_cgroup(cgroup);
    if (!folder) return std::unexpected(std::move(folder.error()));
    auto link = open_link(*folder, pin);
    if (!link) return std::unexpected(std::move(link.error()));
    if (link->is_open()) {
        if (bpf_link_update(link->value(), bpf_program__fd(program), nullptr) != 0)
            return failure_errno(describe("replace", program, cgroup));
        return CgroupLink{std::move(*link), true};
    }
    // A link in another cgroup: two programs that see the same sockets would undo each other's
    // work.
    if (!pin.empty())
        if (auto done = detach_pinned_link(pin); !done) return std::unexpected(done.error());
    Fd made(bpf_link_create(bpf_program__fd(program), folder->value(),
                            bpf_program__expected_attach_type(program), nullptr));
    if (!made.is_open()) return failure_errno(describe("attach", program, cgroup));
    if (!pin.empty())
        if (auto pinned = replace_pin(made.value(), pin); !pinned)
            return std::unexpected(std::move(pinned.error())); // and the link goes with its fd
    return CgroupLink{std::move(made), false};
}

Result<bool> is_cgroup_hook_attached(const fs::path& cgroup, const fs::path& pin) {
    auto folder = open_cgroup(cgroup);
    if (!folder) return std::unexpected(std::move(folder.error()));
    auto link = open_link(*folder, pin);
    if (!link) return std::unexpected(std::move(link.error()));
    return link->is_open();
}

} // namespace weir
