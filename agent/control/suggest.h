// SPDX-License-Identifier: Apache-2.0
// The answer to Suggest: least-privilege NetworkPolicies for a namespace from the flows seen, one a
// workload, checked against those very flows before they are given out.
#pragma once

#include <string>
#include <vector>

#include "agent/control/flow_summary.h"
#include "agent/control/weir.pb.h"
#include "loader/result.h"
#include "policy/mesh_names.h"
#include "policy/model.h"

namespace weir {

struct SuggestOptions {
    std::string ns;
    std::string node; // whose flows were seen
    bool include_denied = false;
    MeshNames mesh = {};
};

// Fails when the namespace has no pods, or what is in force cannot be compiled.
Result<v1::SuggestResponse> suggest(const std::vector<SharedObject>& objects,
                                    const std::vector<SeenFlow>& flows,
                                    const SuggestOptions& options);

} // namespace weir
