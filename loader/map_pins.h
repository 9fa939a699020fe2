// SPDX-License-Identifier: Apache-2.0
// Maps that outlive the agent: found again under their pins if their layout is the object's.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "loader/map_content.h"
#include "loader/result.h"

struct bpf_map;
struct bpf_object;

namespace weir {

// What was found under the pins.
struct PinnedMaps {
    bool is_any_found = false;
    // Maps that get another size than the pinned ones, and what these hold.
    std::vector<std::pair<const bpf_map*, MapContent>> moving;
    // Names of those that were made for another size than was asked for, and keep theirs.
    std::vector<std::string> kept;
};

// Lets every map of the opened object use what is pinned under its name. Where the size differs, a
// map that only the agent writes gets the new one, unless its content would fill more than half of
// it: a revision is built beside the one before. Any other map stays what it was, because what the
// programs write into it meanwhile would be lost; except for the counters, whose size is the number
// of things counted and which start anew. Any other difference is an error.
Result<PinnedMaps> reuse_pinned_maps(bpf_object* object, const std::filesystem::path& folder);

// Fills the maps that move, and pins what is not pinned yet. The object is loaded, its programs are
// not attached. Killed in between, the next agent finds each map under its pin, the old one or the
// new, with the same content.
Result<> pin_maps(bpf_object* object, const PinnedMaps& found, const std::filesystem::path& folder);

} // namespace weir
