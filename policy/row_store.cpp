// SPDX-License-Identifier: Apache-2.0
#include "policy/row_store.h"

#include <algorithm>
#include <utility>

#include "policy/hash.h"

namespace weir {
namespace {

std::size_t hash_of(const std::vector<weir_interval>& intervals) {
    Hasher hasher;
    for (const auto& interval : intervals) {
        hasher.add(std::uint64_t{interval.start} << 32 | interval.verdict);
    }
    return hasher.result();
}

bool is_equal(const weir_interval& a, const weir_interval& b) {
    return a.start == b.start && a.verdict == b.verdict;
}

} // namespace

RowStore::Id RowStore::add(Row row) {
    row.references = 1;
    if (free_ids_.empty()) {
        rows_.push_back(row);
        return static_cast<Id>(rows_.size() - 1);
    }
    const auto id = free_ids_.back();
    free_ids_.pop_back();
    rows_[id] = row;
    return id;
}

RowStore::Id RowStore::intern(const std::vector<weir_interval>& intervals) {
    const auto hash = hash_of(intervals);
    const auto [begin, end] = known_.equal_range(hash);
    for (auto known = begin; known != end; ++known) {
        const auto existing = content(known->second);
        if (std::equal(existing.begin(), existing.end(), intervals.begin(), intervals.end(),
                       is_equal)) {
            acquire(known->second);
            return known->second;
        }
    }
    const auto count = static_cast<std::uint32_t>(intervals.size());
    const auto offset = room_.take(count);
    if (intervals_.size() < offset + count) {
        intervals_.resize(offset + count);
    }
    std::copy(intervals.begin(), intervals.end(), intervals_.begin() + offset);
    const auto id = add(Row{weir_row{offset, count}, 0, false, hash});
    known_.emplace(hash, id);
    new_.push_back(id);
    return id;
}

RowStore::Id RowStore::adopt(weir_row row) {
    return add(Row{row, 0, true, 0});
}

void RowStore::release(Id id) {
    auto& row = rows_[id];
    if (--row.references != 0) {
        return;
    }
    room_.give_back(RangePool::Range{row.place.offset, row.place.count});
    if (!row.is_adopted) {
        const auto [begin, end] = known_.equal_range(row.hash);
        known_.erase(
            std::find_if(begin, end, [&](const auto& known) { return known.second == id; }));
    }
    std::erase(new_, id);
    free_ids_.push_back(id);
}

std::span<const weir_interval> RowStore::content(Id id) const {
    const auto& row = rows_[id];
    if (row.is_adopted) {
        return {};
    }
    return std::span(intervals_).subspan(row.place.offset, row.place.count);
}

std::vector<RowStore::Id> RowStore::take_new() {
    return std::exchange(new_, {});
}

} // namespace weir
