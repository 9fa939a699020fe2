// SPDX-License-Identifier: Apache-2.0
#include "policy/range_pool.h"

#include <algorithm>
#include <iterator>

namespace weir {

std::uint32_t RangePool::take(std::uint32_t count) {
    used_ += count;
    const auto best = by_count_.lower_bound({count, 0});
    if (best == by_count_.end()) {
        const auto offset = end_;
        end_ += count;
        return offset;
    }
    const auto [size, offset] = *best;
    erase_hole(holes_.find(offset));
    if (size > count) {
        add_hole(offset + count, size - count);
    }
    return offset;
}

void RangePool::give_back(Range range) {
    if (range.count == 0) { // the row of an earlier agent's table that no slot names
        return;
    }
    used_ -= range.count;
    auto [offset, count] = range;
    const auto next = holes_.lower_bound(offset);
    if (next != holes_.begin()) {
        const auto before = std::prev(next);
        if (before->first + before->second == offset) {
            offset = before->first;
            count += before->second;
            erase_hole(before);
        }
    }
    if (next != holes_.end() && next->first == offset + count) {
        count += next->second;
        erase_hole(next);
    }
    if (offset + count == end_) {
        end_ = offset;
    } else {
        add_hole(offset, count);
    }
}

void RangePool::reserve(std::vector<Range> ranges) {
    std::sort(ranges.begin(), ranges.end(),
              [](const Range& a, const Range& b) { return a.offset < b.offset; });
    for (const auto& range : ranges) {
        if (range.offset > end_) {
            add_hole(end_, range.offset - end_);
        }
        const auto last = range.offset + range.count;
        if (last > end_) {
            used_ += last - std::max(range.offset, end_);
            end_ = last;
        }
    }
}

void RangePool::add_hole(std::uint32_t offset, std::uint32_t count) {
    holes_.emplace(offset, count);
    by_count_.emplace(count, offset);
}

void RangePool::erase_hole(Holes::iterator hole) {
    by_count_.erase({hole->second, hole->first});
    holes_.erase(hole);
}

} // namespace weir
