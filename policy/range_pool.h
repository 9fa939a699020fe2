// SPDX-License-Identifier: Apache-2.0
// Room in an array: a buddy allocator over [0, end) that gives back what a request does not fill.
#pragma once

#include <array>
#include <cstdint>
#include <set>
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
    void release(std::uint32_t offset, std::uint32_t count);
    void release_block(std::uint32_t offset, unsigned order);
    void trim();

    std::array<std::set<std::uint32_t>, 32> free_; // offsets of blocks of 1 << index
    std::uint32_t end_ = 0;
    std::uint32_t used_ = 0;
};

} // namespace weir
