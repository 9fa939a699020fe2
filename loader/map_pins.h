// SPDX-License-Identifier: Apache-2.0
// Maps that outlive the agent: found again under their pins if their layout is the object's.
#pragma once

#include <filesystem>

#include "loader/result.h"

struct bpf_object;

namespace weir {

// Lets every map of the opened object use what is pinned under its name. Its size may differ from
// the object's: then it stays what it was, except for the counters, whose size is the number of
// drop reasons and which start anew. Any other difference is an error. Returns whether a map was
// found.
Result<bool> reuse_pinned_maps(bpf_object* object, const std::filesystem::path& folder);

// Pins what is not pinned yet. The object is loaded.
Result<> pin_maps(bpf_object* object, const std::filesystem::path& folder);

} // namespace weir
