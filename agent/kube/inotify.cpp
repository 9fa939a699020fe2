// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/inotify.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace weir {
namespace {

bool is_below(const std::string& path, const std::string& folder) {
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

} // namespace

Result<Inotify> Inotify::open() {
    Fd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!fd.is_open()) {
        return failure_errno("start watching files (raise fs.inotify.max_user_instances)");
    }
    return Inotify(std::move(fd));
}

Result<> Inotify::watch(const std::string& path, std::uint32_t mask) {
    const int watch = ::inotify_add_watch(fd_.value(), path.c_str(), mask);
    if (watch >= 0) {
        paths_[watch] = path;
        return {};
    }
    const int code = errno;
    const std::string remedy = code == ENOSPC ? " (raise fs.inotify.max_user_watches)" : "";
    return failure_errno("watch " + path + remedy, code);
}

void Inotify::forget(const std::string& path) {
    for (auto watch = paths_.begin(); watch != paths_.end();) {
        if (is_below(watch->second, path)) {
            ::inotify_rm_watch(fd_.value(), watch->first);
            watch = paths_.erase(watch);
        } else {
            ++watch;
        }
    }
}

void Inotify::drain(const std::function<void(const FileEvent&)>& visit) {
    alignas(inotify_event) std::array<char, 65'536> buffer;
    while (true) {
        const ssize_t length = ::read(fd_.value(), buffer.data(), buffer.size());
        if (length <= 0) return; // empty (EAGAIN)
        for (std::size_t at = 0; at < static_cast<std::size_t>(length);) {
            inotify_event raw;
            std::memcpy(&raw, buffer.data() + at, sizeof(raw));
            FileEvent event{"", raw.len == 0 ? "" : buffer.data() + at + sizeof(raw), raw.mask};
            at += sizeof(raw) + raw.len;
            const auto found = paths_.find(raw.wd);
            if (found != paths_.end()) event.folder = found->second;
            if ((raw.mask & IN_IGNORED) != 0 && found != paths_.end()) paths_.erase(found);
            if (!event.folder.empty() || (raw.mask & IN_Q_OVERFLOW) != 0) visit(event);
        }
    }
}

} // namespace weir
