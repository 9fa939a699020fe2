// SPDX-License-Identifier: Apache-2.0
#include "tests/support/lab_process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

namespace weir {
namespace {

using Clock = std::chrono::steady_clock;

// Only async-signal-safe calls: the test may have threads.
[[noreturn]] void execute(char* const* arguments, const int (&streams)[3], int netns) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (netns >= 0 && setns(netns, CLONE_NEWNET) != 0) _exit(126);
    for (int i = 0; i < 3; ++i)
        dup2(streams[i], i);
    execvp(arguments[0], arguments);
    _exit(127);
}

pid_t spawn(const Arguments& arguments, const int (&streams)[3], const std::string& netns) {
    std::vector<char*> pointers;
    for (const auto& argument : arguments)
        pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    const int netns_fd = netns.empty() ? -1 : open(netns.c_str(), O_RDONLY | O_CLOEXEC);
    if (!netns.empty() && netns_fd < 0) {
        std::perror(netns.c_str());
        std::abort();
    }
    const pid_t pid = fork();
    if (pid == 0) execute(pointers.data(), streams, netns_fd);
    if (netns_fd >= 0) close(netns_fd);
    return pid;
}

int memory_file(const std::string& content) {
    const int fd = memfd_create("weir-test", MFD_CLOEXEC);
    std::size_t written = 0;
    while (written < content.size()) {
        const auto n = write(fd, content.data() + written, content.size() - written);
        if (n <= 0) std::abort();
        written += static_cast<std::size_t>(n);
    }
    lseek(fd, 0, SEEK_SET);
    return fd;
}

std::string drain(int fd) {
    lseek(fd, 0, SEEK_SET);
    std::string content;
    char buffer[65536];
    for (ssize_t n = 0; (n = read(fd, buffer, sizeof(buffer))) > 0;)
        content.append(buffer, static_cast<std::size_t>(n));
    close(fd);
    return content;
}

int exit_status(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

} // namespace

CommandResult run_command(const Arguments& arguments, const CommandOptions& options) {
    const int streams[3] = {memory_file(options.input), memory_file({}), memory_file({})};
    const pid_t pid = spawn(arguments, streams, options.netns);
    const auto deadline = Clock::now() + options.timeout;
    CommandResult result;
    auto pause = std::chrono::microseconds(500);
    for (int status = 0;;) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            result.status = result.status == 124 ? 124 : exit_status(status);
            break;
        }
        if (Clock::now() > deadline) {
            kill(pid, SIGKILL);
            result.status = 124;
        }
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, std::chrono::microseconds(10'000));
    }
    close(streams[0]);
    result.out = drain(streams[1]);
    result.err = drain(streams[2]);
    return result;
}

std::string weir_program() {
    const char* path = std::getenv("WEIR_PROGRAM");
    if (path == nullptr) {
        std::fprintf(stderr, "WEIR_PROGRAM must name the weir program; ctest sets it\n");
        std::abort();
    }
    return path;
}

BackgroundProcess BackgroundProcess::start(const Arguments& arguments, const std::string& log,
                                           const std::string& netns) {
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    const int streams[3] = {null, output, output};
    BackgroundProcess process;
    process.pid_ = spawn(arguments, streams, netns);
    close(null);
    close(output);
    return process;
}

BackgroundProcess::~BackgroundProcess() {
    if (is_running()) end(SIGKILL);
}

BackgroundProcess::BackgroundProcess(BackgroundProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), status_(other.status_) {}

BackgroundProcess& BackgroundProcess::operator=(BackgroundProcess&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(status_, other.status_);
    return *this;
}

bool BackgroundProcess::reap(int flags) {
    int status = 0;
    if (pid_ < 0 || waitpid(pid_, &status, flags) != pid_) return false;
    pid_ = -1;
    status_ = exit_status(status);
    return true;
}

bool BackgroundProcess::is_running() {
    reap(WNOHANG);
    return pid_ > 0;
}

int BackgroundProcess::end(int signal, std::chrono::milliseconds timeout) {
    if (pid_ < 0) return status_;
    kill(pid_, signal);
    const auto deadline = Clock::now() + timeout;
    while (!reap(WNOHANG)) {
        if (Clock::now() > deadline) {
            kill(pid_, SIGKILL);
            reap(0);
            return 124;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return status_;
}

TempDirectory::TempDirectory() {
    std::string path = (std::filesystem::temp_directory_path() / "weir-test-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) {
        std::perror("mkdtemp");
        std::abort();
    }
    path_ = path;
}

TempDirectory::~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::string& path, const std::string& content) {
    const std::string draft = path + ".draft~";
    std::ofstream(draft, std::ios::binary) << content;
    std::filesystem::rename(draft, path);
}

std::string read_file(const std::string& path) {
    std::ostringstream content;
    content << std::ifstream(path, std::ios::binary).rdbuf();
    return content.str();
}

} // namespace weir
