// SPDX-License-Identifier: Apache-2.0
// Ranges of weir_slots: a range never changes while a frontend names it, so new content is a new
// range, and the old one is free after a grace period.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "policy/range_pool.h"
#include "policy/service_transaction.h"

namespace weir {

class SlotBook {
public:
    explicit SlotBook(std::uint32_t limit) : limit_(limit) {}

    // Ranges that an earlier agent's frontends name; those that nobody takes until sweep() are
    // given back by it.
    void adopt(const std::vector<SlotRange>& ranges);
    void sweep();

    // A range with this content, which is not empty: an earlier agent's at `before`, if that is
    // the same, else a new one. Nothing when there is no room.
    std::optional<RangePool::Range> take(std::vector<std::uint32_t> content,
                                         std::optional<std::uint32_t> before,
                                         ServiceTransaction& transaction);
    // No frontend names it from the next transaction on.
    void give_back(RangePool::Range range);

    // What was given back until begin_wait() is free at the end of the wait with that number.
    std::uint64_t begin_wait();
    void end_wait(std::uint64_t number);

    std::uint32_t used() const { return ranges_.used(); }
    std::uint32_t end() const { return ranges_.end(); }

private:
    std::uint32_t limit_;
    RangePool ranges_;
    std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> adopted_; // by first slot
    std::vector<RangePool::Range> garbage_;
    std::map<std::uint64_t, std::vector<RangePool::Range>> waiting_;
    std::uint64_t wait_ = 0;
};

} // namespace weir
