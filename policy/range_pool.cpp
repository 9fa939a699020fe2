// SPDX-License-Identifier: Apache-2.0
#include "policy/range_pool.h"

#include <algorithm>
#include <bit>

namespace weir {

std::uint32_t RangePool::take(std::uint32_t count) {
    const auto order = static_cast<unsigned>(std::countr_zero(std::bit_ceil(count)));
    const auto size = 1U << order;
    used_ += count;
    auto larger = order;
    while (larger < free_.size() && free_[larger].empty()) {
        ++larger;
    }
    std::uint32_t offset = 0;
    if (larger < free_.size()) {
        offset = *free_[larger].begin();
        free_[larger].erase(free_[larger].begin());
        release(offset + size, (1U << larger) - size);
    } else {
        offset = (end_ + size - 1) & ~(size - 1);
        const auto gap = end_;
        end_ = offset + size;
        release(gap, offset - gap);
    }
    release(offset + count, size - count);
    trim();
    return offset;
}

void RangePool::give_back(Range range) {
    used_ -= range.count;
    release(range.offset, range.count);
    trim();
}

void RangePool::reserve(std::vector<Range> ranges) {
    std::sort(ranges.begin(), ranges.end(),
              [](const Range& a, const Range& b) { return a.offset < b.offset; });
    for (const auto& range : ranges) {
        if (range.offset > end_) {
            release(end_, range.offset - end_);
        }
        const auto last = range.offset + range.count;
        if (last > end_) {
            used_ += last - std::max(range.offset, end_);
            end_ = last;
        }
    }
}

// Cuts the range into aligned blocks.
void RangePool::release(std::uint32_t offset, std::uint32_t count) {
    while (count > 0) {
        const auto aligned = offset == 0 ? 31 : std::countr_zero(offset);
        const auto fitting = std::bit_width(count) - 1;
        const auto order = static_cast<unsigned>(std::min<int>(aligned, fitting));
        release_block(offset, order);
        offset += 1U << order;
        count -= 1U << order;
    }
}

void RangePool::release_block(std::uint32_t offset, unsigned order) {
    while (order + 1 < free_.size()) {
        const auto buddy = free_[order].find(offset ^ (1U << order));
        if (buddy == free_[order].end()) {
            break;
        }
        offset = std::min(offset, *buddy);
        free_[order].erase(buddy);
        ++order;
    }
    free_[order].insert(offset);
}

void RangePool::trim() {
    bool is_trimmed = true;
    while (is_trimmed) {
        is_trimmed = false;
        for (unsigned order = 0; order < free_.size(); ++order) {
            auto& blocks = free_[order];
            if (!blocks.empty() && *blocks.rbegin() + (1U << order) == end_) {
                end_ = *blocks.rbegin();
                blocks.erase(std::prev(blocks.end()));
                is_trimmed = true;
            }
        }
    }
}

} // namespace weir
