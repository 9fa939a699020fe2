// SPDX-License-Identifier: Apache-2.0
#include "agent/run_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

namespace weir {
namespace {

// The process that holds the flock of an open file, from /proc/locks:
// "1: FLOCK  ADVISORY  WRITE 4711 00:1b:1234 0 EOF". 0 if none is listed.
int holder_of(int fd) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) return 0;
    std::ifstream locks("/proc/locks");
    std::string line;
    while (std::getline(locks, line)) {
        std::istringstream words(line);
        std::string number, type, mode, access, file;
        int pid = 0;
        words >> number >> type >> mode >> access >> pid >> file;
        const auto colon = file.rfind(':');
        if (type != "FLOCK" || colon == std::string::npos) continue;
        if (file.substr(colon + 1) == std::to_string(status.st_ino)) return pid;
    }
    return 0;
}

Result<Fd> lock(const std::filesystem::path& path, int flags) {
    Fd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
    if (!fd.is_open()) return failure_errno("open " + path.string());
    if (::flock(fd.value(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno != EWOULDBLOCK) return failure_errno("lock " + path.string());
    const int holder = holder_of(fd.value()); // unknown in another pid namespace
    return std::unexpected(
        Error{EWOULDBLOCK,
              fmt::format("another agent{} uses {}",
                          holder > 0 ? fmt::format(" (pid {})", holder) : "", path.string())});
}

} // namespace

Result<RunLock> RunLock::take(const std::filesystem::path& run_dir,
                              const std::filesystem::path& bpffs) {
    std::error_code error;
    std::filesystem::create_directories(run_dir, error);
    if (error) return failure("create " + run_dir.string() + ": " + error.message());
    RunLock taken;
    auto fd = lock(run_dir / "weir.lock", O_RDWR | O_CREAT);
    if (!fd) return std::unexpected(std::move(fd.error()));
    taken.run_dir_ = std::move(*fd);
    if (std::filesystem::is_directory(bpffs, error)) {
        if (auto locked = taken.take_bpffs(bpffs); !locked) return std::unexpected(locked.error());
    }
    return taken;
}

Result<> RunLock::take_bpffs(const std::filesystem::path& bpffs) {
    if (bpffs_.is_open()) return {};
    auto fd = lock(bpffs, O_RDONLY | O_DIRECTORY);
    if (!fd) return std::unexpected(std::move(fd.error()));
    bpffs_ = std::move(*fd);
    return {};
}

} // namespace weir
