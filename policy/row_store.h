// SPDX-License-Identifier: Apache-2.0
// The rows of weir_rows: equal ones stored once, counted by whoever refers to them.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "bpf/abi.h"
#include "policy/range_pool.h"

namespace weir {

class RowStore {
public:
    using Id = std::uint32_t;

    // Each of these adds a reference.
    Id intern(const std::vector<weir_interval>& intervals);
    Id adopt(weir_row row); // content unknown; its room was set aside with reserve()
    void acquire(Id id) { ++rows_[id].references; }
    void release(Id id);

    void reserve(std::vector<RangePool::Range> ranges) { room_.reserve(std::move(ranges)); }

    weir_row place(Id id) const { return rows_[id].place; }
    // Empty for an adopted row.
    std::span<const weir_interval> content(Id id) const;
    // Rows interned since the last call that did not exist before and still do.
    std::vector<Id> take_new();

    std::uint32_t end() const { return room_.end(); }
    std::uint32_t used() const { return room_.used(); }

private:
    struct Row {
        weir_row place{};
        std::uint32_t references = 0;
        bool is_adopted = false;
        std::size_t hash = 0;
    };

    Id add(Row row);

    std::vector<Row> rows_;
    std::vector<Id> free_ids_;
    std::vector<weir_interval> intervals_; // as weir_rows holds them
    std::unordered_multimap<std::size_t, Id> known_;
    std::vector<Id> new_;
    RangePool room_;
};

} // namespace weir
