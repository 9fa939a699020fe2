// SPDX-License-Identifier: Apache-2.0
// A cgroup of the test's own: programs attached to it see no socket but the test's.
#pragma once

#include <filesystem>

namespace weir::test {

class TestCgroup {
public:
    // Makes it below the mount of cgroup v2 and moves this process into it. Failures end the test
    // program.
    TestCgroup();
    // Moves the process back.
    ~TestCgroup();
    TestCgroup(const TestCgroup&) = delete;
    TestCgroup& operator=(const TestCgroup&) = delete;

    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path before_;
    std::filesystem::path path_;
};

} // namespace weir::test
