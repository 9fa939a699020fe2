// SPDX-License-Identifier: Apache-2.0
#include "policy/range_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace weir::test {
namespace {

TEST(RangePool, RangesNeverOverlapAndLeaveNothingBehind) {
    std::mt19937 random(7);
    RangePool pool;
    std::vector<RangePool::Range> held;
    std::vector<bool> is_held;
    std::uint32_t used = 0;
    const auto give_back = [&](std::size_t index) {
        const auto range = held[index];
        for (std::uint32_t at = range.offset; at < range.offset + range.count; ++at) {
            is_held[at] = false;
        }
        used -= range.count;
        pool.give_back(range);
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(index));
    };
    for (int step = 0; step < 20'000; ++step) {
        if (held.size() > 500 || (!held.empty() && random() % 2 == 0)) {
            give_back(random() % held.size());
            continue;
        }
        const RangePool::Range range{0, static_cast<std::uint32_t>(1 + random() % 30)};
        held.push_back({pool.take(range.count), range.count});
        const auto begin = held.back().offset;
        is_held.resize(std::max<std::size_t>(is_held.size(), begin + range.count));
        for (std::uint32_t at = begin; at < begin + range.count; ++at) {
            ASSERT_FALSE(is_held[at]);
            is_held[at] = true;
        }
        used += range.count;
        ASSERT_EQ(used, pool.used());
        ASSERT_LE(begin + range.count, pool.end());
    }
    while (!held.empty()) {
        give_back(held.size() - 1);
    }
    EXPECT_EQ(0U, pool.used());
    EXPECT_EQ(0U, pool.end());
}

TEST(RangePool, FillsTheSmallestHoleThatFits) {
    RangePool pool;
    const auto first = pool.take(10);
    pool.take(1);
    const auto second = pool.take(4);
    pool.take(1);
    pool.give_back({first, 10});
    pool.give_back({second, 4});
    EXPECT_EQ(second, pool.take(3));
    EXPECT_EQ(first, pool.take(8));
    EXPECT_EQ(16U, pool.end());
}

TEST(RangePool, KeepsOffWhatAnEarlierAgentHas) {
    RangePool pool;
    pool.reserve({{20, 5}, {4, 6}, {4, 6}, {0, 0}});
    EXPECT_EQ(11U, pool.used());
    EXPECT_EQ(0U, pool.take(4));
    EXPECT_EQ(10U, pool.take(10));
    EXPECT_EQ(25U, pool.take(1));
    pool.give_back({0, 0});
    pool.give_back({4, 6});
    EXPECT_EQ(4U, pool.take(6));
}

} // namespace
} // namespace weir::test
