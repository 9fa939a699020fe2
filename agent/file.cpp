// SPDX-License-Identifier: Apache-2.0
#include "agent/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "loader/fd.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

Result<> write_all(const fs::path& file, const std::string& text, mode_t mode) {
    const Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (!fd.is_open()) return failure_errno("write " + file.string());
    // Whatever the umask is, and whoever left the file there.
    if (::fchmod(fd.value(), mode) != 0) return failure_errno("write " + file.string());
    for (std::size_t done = 0; done < text.size();) {
        const auto written = ::write(fd.value(), text.data() + done, text.size() - done);
        if (written < 0) return failure_errno("write " + file.string());
        done += static_cast<std::size_t>(written);
    }
    if (::fsync(fd.value()) != 0) return failure_errno("write " + file.string());
    return {};
}

} // namespace

Result<std::string> read_whole_file(const fs::path& file) {
    errno = 0;
    std::ifstream stream(file, std::ios::binary);
    if (!stream) return failure_errno("read " + file.string());
    std::string text(std::istreambuf_iterator<char>(stream), {});
    if (stream.bad()) return failure_errno("read " + file.string());
    return text;
}

Result<> replace_file(const fs::path& file, const std::string& text, mode_t mode) {
    const fs::path beside = file.string() + ".new";
    auto written = write_all(beside, text, mode);
    if (written && std::rename(beside.c_str(), file.c_str()) != 0) {
        written = failure_errno("replace " + file.string());
    }
    if (!written) ::unlink(beside.c_str());
    return written;
}

} // namespace weir
