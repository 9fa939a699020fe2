// SPDX-License-Identifier: Apache-2.0
// `weir verdicts`: judges flows by the manifests of a directory, without an agent.
#pragma once

#include <iosfwd>
#include <string>

#include "loader/result.h"

namespace weir {

enum class EngineKind { kKernel, kModel };

// Reads flows as JSON lines and answers each with one line, in order. What is wrong with the
// manifests goes to `problems`. Fails when the directory cannot be read or the engine not be used.
Result<> judge_flows(const std::string& directory, EngineKind engine, std::istream& flows,
                     std::ostream& answers, std::ostream& problems);

} // namespace weir
