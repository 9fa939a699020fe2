// SPDX-License-Identifier: Apache-2.0
#include "policy/slot_book.h"

#include <utility>

namespace weir {

void SlotBook::adopt(const std::vector<SlotRange>& ranges) {
    std::vector<RangePool::Range> reserved;
    for (const auto& range : ranges) {
        reserved.push_back({range.first, static_cast<std::uint32_t>(range.backends.size())});
        adopted_.emplace(range.first, range.backends);
    }
    ranges_.reserve(std::move(reserved));
}

void SlotBook::sweep() {
    for (const auto& [first, content] : adopted_) {
        give_back({first, static_cast<std::uint32_t>(content.size())});
    }
    adopted_.clear();
}

std::optional<RangePool::Range> SlotBook::take(std::vector<std::uint32_t> content,
                                               std::optional<std::uint32_t> before,
                                               ServiceTransaction& transaction) {
    const auto count = static_cast<std::uint32_t>(content.size());
    if (before) {
        const auto adopted = adopted_.find(*before);
        if (adopted != adopted_.end() && adopted->second == content) {
            adopted_.erase(adopted);
            return RangePool::Range{*before, count};
        }
    }
    const RangePool::Range range{ranges_.take(count), count};
    if (range.offset + count > limit_) {
        ranges_.give_back(range);
        return std::nullopt;
    }
    transaction.slots.push_back({range.offset, std::move(content)});
    return range;
}

void SlotBook::give_back(RangePool::Range range) {
    if (range.count != 0) {
        garbage_.push_back(range);
    }
}

std::uint64_t SlotBook::begin_wait() {
    ++wait_;
    if (!garbage_.empty()) {
        waiting_[wait_] = std::exchange(garbage_, {});
    }
    return wait_;
}

void SlotBook::end_wait(std::uint64_t number) {
    while (!waiting_.empty() && waiting_.begin()->first <= number) {
        for (const auto& range : waiting_.begin()->second) {
            ranges_.give_back(range);
        }
        waiting_.erase(waiting_.begin());
    }
}

} // namespace weir
