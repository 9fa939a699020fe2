// SPDX-License-Identifier: Apache-2.0
// Exactly one agent per run folder and per bpffs folder. Held by the kernel, so that a killed agent
// leaves nothing behind that has to be cleaned up.
#pragma once

#include <filesystem>
#include <string>

#include "loader/fd.h"
#include "loader/result.h"

namespace weir {

class RunLock {
public:
    // Makes run_dir if it is missing. Locks bpffs too when it exists. EWOULDBLOCK when another
    // process has either; the error names its pid, as far as it can be seen from here.
    static Result<RunLock> take(const std::filesystem::path& run_dir,
                                const std::filesystem::path& bpffs);

    // For a bpffs folder that did not exist when the lock was taken.
    Result<> take_bpffs(const std::filesystem::path& bpffs);

private:
    Fd run_dir_;
    Fd bpffs_;
};

} // namespace weir
