// SPDX-License-Identifier: Apache-2.0
// Manifests read once, without a running agent: `weir check` and `weir verdicts`.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "agent/kube/problem.h"
#include "loader/result.h"
#include "policy/model.h"

namespace weir {

struct CheckReport {
    std::size_t files = 0;
    std::size_t objects = 0;             // valid ones, of the kinds that Weir uses
    std::vector<Problem> problems;       // by file and line
    std::vector<std::string> unreadable; // "PATH: No such file or directory"

    // 0 clean, 1 an object that the API server would refuse (strict: or warn about), 2 a path that
    // cannot be read.
    int exit_status(bool strict) const;
};

// Validates files and, recursively, directories as the API server would. A file named explicitly is
// read whatever its extension.
CheckReport check_paths(std::span<const std::string> paths);

// One line per problem and a summary. With strict, warnings are shown as the errors they count as.
std::string to_text(const CheckReport& report, bool strict);
// {"files","objects","errors","warnings","problems":[...],"unreadable":[...]}
nlohmann::json to_json(const CheckReport& report, bool strict);

struct LoadedManifests {
    Change change; // upserts only
    std::vector<Problem> problems;
};

// Reads a directory once. Invalid objects are reported and absent. Fails when the directory or a
// file in it cannot be read.
Result<LoadedManifests> load_directory(const std::string& directory);

} // namespace weir
