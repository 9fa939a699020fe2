// SPDX-License-Identifier: Apache-2.0
// The workload's objects as a user would have them in a folder.
#pragma once

#include <string>

#include "policy/model.h"

namespace weir::bench {

// Writes all objects as JSON Lists below the directory, one file a namespace.
void write_manifests(const Change& objects, const std::string& directory);

} // namespace weir::bench
