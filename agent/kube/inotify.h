// SPDX-License-Identifier: Apache-2.0
// inotify: watches by path, events by path.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

#include "loader/fd.h"
#include "loader/result.h"

namespace weir {

struct FileEvent {
    std::string folder;     // the path that was watched; empty for an overflow
    std::string name;       // in it; empty when the event is about the watched path itself
    std::uint32_t mask = 0; // IN_*
};

class Inotify {
public:
    static Result<Inotify> open();

    int fd() const { return fd_.value(); }
    // Follows links. The same file or folder under another path takes over the earlier watch.
    Result<> watch(const std::string& path, std::uint32_t mask);
    // Of this path and all below it.
    void forget(const std::string& path);
    // Calls visit for everything that is queued, without waiting.
    void drain(const std::function<void(const FileEvent&)>& visit);

private:
    explicit Inotify(Fd fd) : fd_(std::move(fd)) {}

    Fd fd_;
    std::unordered_map<int, std::string> paths_; // by watch descriptor
};

} // namespace weir
