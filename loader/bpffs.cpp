// SPDX-License-Identifier: Apache-2.0
#include "loader/bpffs.h"

#include <bpf/bpf.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cstdio>

namespace weir {
namespace {

namespace fs = std::filesystem;

bool is_on_bpffs(const fs::path& folder) {
    struct statfs info{};
    return statfs(folder.c_str(), &info) == 0 && info.f_type == BPF_FS_MAGIC;
}

Result<> mount_bpffs(const fs::path& folder) {
    if (mount("bpf", folder.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0)
        return {};
    return failure_errno("mount bpffs on " + folder.string() +
                         " (needs CAP_SYS_ADMIN; or mount it yourself: mount -t bpf bpf " +
                         folder.string() + ")");
}

// sysfs has an empty folder for bpffs in which nothing can be made until it is mounted.
Result<> mount_in_sysfs(const fs::path& folder) {
    const fs::path place = "/sys/fs/bpf";
    const auto [end, _] = std::mismatch(place.begin(), place.end(), folder.begin(), folder.end());
    if (end != place.end() || !fs::is_directory(place) || is_on_bpffs(place)) return {};
    return mount_bpffs(place);
}

} // namespace

Result<> ensure_bpffs(const fs::path& folder) {
    if (auto mounted = mount_in_sysfs(folder); !mounted) return mounted;
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) return failure_errno("make the folder " + folder.string(), error.value());
    if (is_on_bpffs(folder)) return {};
    if (!fs::is_empty(folder, error) || error)
        return failure(folder.string() +
                       " is not on bpffs and not empty: choose another --bpffs folder");
    return mount_bpffs(folder);
}

Result<Fd> open_pin(const fs::path& pin) {
    Fd fd(bpf_obj_get(pin.c_str()));
    if (!fd.is_open() && errno != ENOENT) return failure_errno("open the pin " + pin.string());
    return fd;
}

Result<> replace_pin(int fd, const fs::path& pin) {
    if (bpf_obj_pin(fd, pin.c_str()) == 0) return {};
    if (errno != EEXIST) return failure_errno("pin " + pin.string());
    const fs::path beside = pin.string() + "-new";
    if (auto removed = remove_pin(beside); !removed) return std::unexpected(removed.error());
    if (bpf_obj_pin(fd, beside.c_str()) != 0) return failure_errno("pin " + beside.string());
    if (std::rename(beside.c_str(), pin.c_str()) != 0)
        return failure_errno("replace the pin " + pin.string());
    return {};
}

Result<bool> remove_pin(const fs::path& pin) {
    std::error_code error;
    const bool was_there = fs::remove(pin, error);
    if (error) return failure_errno("remove the pin " + pin.string(), error.value());
    return was_there;
}

std::vector<std::string> list_pins(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error))
        names.push_back(entry->path().filename());
    std::ranges::sort(names);
    return names;
}

bool is_version_folder(const std::string& name) {
    return name.size() > 1 && name[0] == 'v' &&
           name.find_first_not_of("0123456789", 1) == std::string::npos;
}

} // namespace weir
