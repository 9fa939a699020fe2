// SPDX-License-Identifier: Apache-2.0
// What `weir status` says about the manifests: what is in force and what is wrong.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "agent/kube/problem.h"
#include "policy/model.h"

namespace weir {

// An object that stays in force in its last valid version, because its document or file cannot be
// used as it is now.
struct KeptObject {
    ObjectKey key;
    Origin origin; // of the version in force
    std::chrono::system_clock::time_point since;
    std::string why;
};

struct ManifestStatus {
    std::string directory;
    bool is_watched = false; // false while the directory is missing
    std::size_t files = 0;
    std::array<std::size_t, kKinds.size()> objects{}; // in force, indexed by Kind
    std::vector<Problem> problems;                    // by file and line
    std::vector<KeptObject> kept;
};

} // namespace weir
