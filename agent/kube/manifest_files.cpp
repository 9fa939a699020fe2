// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/manifest_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <set>
#include <utility>

#include "agent/kube/document.h"
#include "loader/fd.h"

namespace weir {
namespace {

FileContent unreadable(std::string why) {
    return {FileContent::State::kUnreadable, std::move(why)};
}

// Network file systems refuse leases for reasons of their own.
bool is_remote(int fd) {
    struct statfs info{};
    if (::fstatfs(fd, &info) != 0) return false;
    const auto type = static_cast<unsigned>(info.f_type);
    return type == NFS_SUPER_MAGIC || type == SMB_SUPER_MAGIC || type == CIFS_SUPER_MAGIC ||
           type == SMB2_SUPER_MAGIC;
}

// A read lease is granted only while nobody has the file open for writing, and holds up whoever
// opens it for writing until it is given back. Where leases do not exist the file is read without.
bool is_being_written(int fd) {
    // Breaking a lease raises SIGIO, which would end the process; SIGURG is ignored by default.
    ::fcntl(fd, F_SETSIG, SIGURG);
    if (::fcntl(fd, F_SETLEASE, F_RDLCK) == 0) return false;
    return errno == EAGAIN && !is_remote(fd);
}

FileContent read_all(int fd, std::size_t size) {
    FileContent content{FileContent::State::kRead, {}};
    content.text.resize(size + 1); // one more, so that the end is seen without a second growth
    std::size_t length = 0;
    while (true) {
        const ssize_t count =
            ::read(fd, content.text.data() + length, content.text.size() - length);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return unreadable(std::string("cannot be read: ") + std::strerror(errno));
        if (count == 0) break;
        length += static_cast<std::size_t>(count);
        if (length > kMaxManifestBytes) break;
        if (length == content.text.size()) content.text.resize(length * 2);
    }
    content.text.resize(length);
    return content;
}

using Directory = std::unique_ptr<DIR, decltype([](DIR* directory) { ::closedir(directory); })>;

class Lister {
public:
    explicit Lister(const std::function<void(const std::string&)>& on_folder)
        : on_folder_(on_folder) {}

    void list(const std::string& folder) {
        if (on_folder_) on_folder_(folder);
        const Directory directory(::opendir(folder.c_str()));
        if (directory == nullptr) {
            if (errno != ENOENT) tree_.unreadable.push_back({folder, std::strerror(errno)});
            return;
        }
        struct stat info{};
        const int fd = ::dirfd(directory.get());
        if (fd < 0 || ::fstat(fd, &info) != 0) return;
        if (!visited_.insert({info.st_dev, info.st_ino}).second) return;
        while (const dirent* entry = ::readdir(directory.get()))
            take(folder, entry->d_name);
    }

    ManifestTree finish() {
        std::ranges::sort(tree_.files);
        return std::move(tree_);
    }

private:
    void take(const std::string& folder, std::string_view name) {
        if (!is_folder_name(name)) return;
        const std::string path = folder + "/" + std::string(name);
        struct stat info{};
        if (::lstat(path.c_str(), &info) != 0) return;
        const bool is_link = S_ISLNK(info.st_mode);
        if (is_link && ::stat(path.c_str(), &info) != 0) info.st_mode = S_IFREG; // dangling
        if (S_ISDIR(info.st_mode)) return list(path);
        if (!is_manifest_name(name)) return;
        tree_.files.push_back(path);
        if (is_link) tree_.links.push_back(path);
    }

    const std::function<void(const std::string&)>& on_folder_;
    std::set<std::pair<dev_t, ino_t>> visited_;
    ManifestTree tree_;
};

} // namespace

FileContent read_manifest(const std::string& path) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat info{};
    if (!fd.is_open()) {
        const int code = errno;
        // A link whose target is gone is still there.
        if (code == ENOENT && ::lstat(path.c_str(), &info) != 0) return {};
        return unreadable(std::string("cannot be opened: ") + std::strerror(code));
    }
    if (::fstat(fd.value(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return unreadable("is no regular file");
    }
    if (is_being_written(fd.value())) return {FileContent::State::kBusy, {}};
    if (::fstat(fd.value(), &info) != 0) return unreadable("cannot be read");
    const auto size = static_cast<std::size_t>(info.st_size);
    FileContent content = read_all(fd.value(), std::min(size, kMaxManifestBytes));
    if (content.text.size() > kMaxManifestBytes) {
        return unreadable("is larger than " + std::to_string(kMaxManifestBytes >> 20) + " MiB");
    }
    return content;
}

bool is_manifest_name(std::string_view name) {
    static constexpr std::array<std::string_view, 3> kExtensions = {".yaml", ".yml", ".json"};
    if (name.starts_with('.') || name.starts_with('#')) return false;
    return std::ranges::any_of(kExtensions,
                               [&](std::string_view end) { return name.ends_with(end); });
}

bool is_folder_name(std::string_view name) {
    return !name.starts_with('.');
}

ManifestTree list_manifests(const std::string& directory,
                            const std::function<void(const std::string&)>& on_folder) {
    Lister lister(on_folder);
    lister.list(directory);
    return lister.finish();
}

std::string normal_directory(std::string_view directory) {
    while (directory.size() > 1 && directory.ends_with('/'))
        directory.remove_suffix(1);
    return std::string(directory);
}

} // namespace weir
