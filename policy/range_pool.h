// SPDX-License-Identifier: Apache-2.0
// Room in an array: best fit over [0, end). Ranges are of many sizes and mostly small, so that what
// a request leaves of a hole is soon another's.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace weir {

class RangePool {
public:
    struct Range {
        std::uint32_t offset = 0;
        std::uint32_t count = 0;
    };

    // Never fails: the array grows. Whoever limits it looks at end() afterwards.
    std::uint32_t take(std::uint32_t count);
    void give_back(Range range);
    // Sets ranges aside, which may overlap, in a pool that is still empty.
    void reserve(std::vector<Range> ranges);

    std::uint32_t end() const { return end_; } // behind the last position in use
    std::uint32_t used() const { return used_; }

private:
    using Holes = std::map<std::uint32_t, std::uint32_t>; // offset -> count, none next to another

    void add_hole(std::uint32_t offset, std::uint32_t count);
    void erase_hole(Holes::iterator hole);

    Holes holes_;
    std::set<std::pair<std::uint32_t, std::uint32_t>> by_count_; // the same: count, offset
    std::uint32_t end_ = 0;
    std::uint32_t used_ = 0;
};

} // namespace weir
