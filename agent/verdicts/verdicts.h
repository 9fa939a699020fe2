// SPDX-License-Identifier: Apache-2.0
// `weir verdicts`: judges flows by the manifests of a directory, without an agent.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "loader/map_budget.h"
#include "loader/result.h"

namespace weir {

enum class EngineKind { kKernel, kModel };

struct VerdictsOptions {
    std::string directory; // of manifests
    EngineKind engine = EngineKind::kKernel;
    std::uint64_t map_memory = kDefaultMapMemory; // of the nodes that are meant
};

// Reads flows as JSON lines and answers each with one line, in order. What is wrong with the
// manifests goes to `problems`. Fails when the directory cannot be read, the engine not be used, or
// the policies do not fit.
Result<> judge_flows(const VerdictsOptions& options, std::istream& flows, std::ostream& answers,
                     std::ostream& problems);

} // namespace weir
