// SPDX-License-Identifier: Apache-2.0
// The answer to Diff: what manifests would change before they are applied. Needs no agent: `weir
// diff --manifests` asks it of a folder.
#pragma once

#include <vector>

#include "agent/control/flow_summary.h"
#include "agent/control/weir.pb.h"
#include "loader/result.h"
#include "policy/mesh_names.h"
#include "policy/model.h"

namespace weir {

// objects: what is in force. Fails when a state of the cluster cannot be compiled; invalid
// manifests are part of the answer.
Result<v1::DiffResponse> diff(const std::vector<SharedObject>& objects,
                              const std::vector<SeenFlow>& flows, const v1::DiffRequest& request,
                              const MeshNames& mesh = {});

// Whether the two say the same, wherever they were written.
bool is_same_but_origin(const Object& a, const Object& b);

} // namespace weir
