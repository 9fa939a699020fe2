// SPDX-License-Identifier: Apache-2.0
#include "tests/support/test_cgroup.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "loader/cgroup_hook.h"

namespace weir::test {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void give_up(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::abort();
}

// Of this process, from the line "0::/path".
fs::path current_cgroup(const fs::path& mount) {
    std::ifstream lines("/proc/self/cgroup");
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("0::/")) return mount / line.substr(4);
    give_up("/proc/self/cgroup names no cgroup of version 2");
}

void move_to(const fs::path& cgroup) {
    std::ofstream processes(cgroup / "cgroup.procs");
    processes << ::getpid() << std::flush;
    if (!processes) give_up("cannot move to the cgroup " + cgroup.string());
}

} // namespace

TestCgroup::TestCgroup() {
    const auto mount = find_cgroup2_mount();
    if (!mount) give_up(mount.error().what);
    before_ = current_cgroup(*mount);
    path_ = *mount / ("weir-test-" + std::to_string(::getpid()));
    fs::create_directory(path_);
    move_to(path_);
}

TestCgroup::~TestCgroup() {
    move_to(before_);
    std::error_code ignored; // sockets may keep it a little longer
    fs::remove(path_, ignored);
}

} // namespace weir::test
