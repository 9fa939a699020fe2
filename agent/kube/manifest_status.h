// SPDX-License-Identifier: Apache-2.0
// What a set of manifests holds: what is in force and what is wrong.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "agent/kube/problem.h"
#include "agent/kube/source.h"
#include "policy/model.h"

namespace weir {

struct ManifestStatus {
    std::size_t files = 0;
    std::array<std::size_t, kKinds.size()> objects{}; // in force, indexed by Kind
    std::vector<Problem> problems;                    // by file and line
    std::vector<KeptObject> kept;
};

} // namespace weir
