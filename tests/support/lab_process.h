// SPDX-License-Identifier: Apache-2.0
// Programs that tests run: to their end with all output captured, or in the background. Optionally
// inside a network namespace, and never outliving the test.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace weir {

using Arguments = std::vector<std::string>;

struct CommandResult {
    int status = -1; // exit status; 128 + signal when one ended it, 124 when time ran out
    std::string out;
    std::string err;

    bool ok() const { return status == 0; }
};

struct CommandOptions {
    std::string input; // for standard input
    std::string netns; // path; empty: the test's own
    std::chrono::milliseconds timeout{60'000};
};

CommandResult run_command(const Arguments& arguments, const CommandOptions& options = {});

// The `weir` program of this build (environment variable WEIR_PROGRAM); aborts without it.
std::string weir_program();

// A program in the background. Killed when the object goes, and when the test program dies.
class BackgroundProcess {
public:
    BackgroundProcess() = default;
    // Output goes to the file `log`, appended.
    static BackgroundProcess start(const Arguments& arguments, const std::string& log,
                                   const std::string& netns = {});
    ~BackgroundProcess();
    BackgroundProcess(BackgroundProcess&& other) noexcept;
    BackgroundProcess& operator=(BackgroundProcess&& other) noexcept;

    pid_t pid() const { return pid_; }
    bool is_running();
    // Sends the signal and waits for the end. The exit status as in CommandResult.
    int end(int signal, std::chrono::milliseconds timeout = std::chrono::milliseconds(10'000));

private:
    bool reap(int flags);

    pid_t pid_ = -1;
    int status_ = -1;
};

// A new directory that goes with everything in it.
class TempDirectory {
public:
    TempDirectory();
    ~TempDirectory();
    TempDirectory(const TempDirectory&) = delete;
    TempDirectory& operator=(const TempDirectory&) = delete;

    const std::string& path() const { return path_; }

private:
    std::string path_;
};

// Replaces the file in one step, as an editor that renames does.
void write_file(const std::string& path, const std::string& content);
std::string read_file(const std::string& path);

} // namespace weir
