// SPDX-License-Identifier: Apache-2.0
#include "loader/map_budget.h"

#include <gtest/gtest.h>

#include <bit>

namespace weir::test {
namespace {

constexpr std::uint64_t kMebibyte = 1 << 20;

void expect_no_larger(const MapSizes& a, const MapSizes& b) {
    EXPECT_LE(a.peers, b.peers);
    EXPECT_LE(a.prefixes, b.prefixes);
    EXPECT_LE(a.tables, b.tables);
    EXPECT_LE(a.rules, b.rules);
    EXPECT_LE(a.intervals, b.intervals);
    EXPECT_LE(a.flows, b.flows);
    EXPECT_LE(a.new_flows, b.new_flows);
    EXPECT_LE(a.fragments, b.fragments);
    EXPECT_LE(a.event_bytes, b.event_bytes);
}

TEST(MapBudget, DefaultIsForTheDefaultSizes) {
    EXPECT_EQ(sizes_for(kDefaultMapMemory), MapSizes{});
    EXPECT_GT(map_memory(MapSizes{}), kDefaultMapMemory * 7 / 8) << "nobody asked for less";
}

TEST(MapBudget, EveryBudgetIsKeptAndUsed) {
    MapSizes before;
    before = sizes_for(kLeastMapMemory);
    for (std::uint64_t budget = kLeastMapMemory; budget <= kMostMapMemory;
         budget += budget < 256 * kMebibyte ? kMebibyte : 64 * kMebibyte) {
        const MapSizes sizes = sizes_for(budget);
        EXPECT_LE(map_memory(sizes), budget);
        EXPECT_GT(map_memory(sizes), budget * 3 / 4) << "of " << budget / kMebibyte << " MiB";
        EXPECT_TRUE(std::has_single_bit(sizes.event_bytes)) << "the ring buffer's demand";
        EXPECT_GE(sizes.event_bytes, 64u << 10);
        expect_no_larger(before, sizes);
        before = sizes;
    }
}

TEST(MapBudget, MapsKeepTheirRatios) {
    const MapSizes least = sizes_for(kLeastMapMemory);
    const MapSizes most = sizes_for(kMostMapMemory);
    for (const MapSizes& sizes : {least, most}) {
        EXPECT_EQ(sizes.peers, sizes.rules);
        EXPECT_EQ(sizes.peers, sizes.flows * 2);
        EXPECT_EQ(sizes.flows, sizes.new_flows * 8);
        EXPECT_EQ(sizes.peers, sizes.prefixes * 4);
        EXPECT_EQ(sizes.intervals, sizes.tables * 16);
    }
    EXPECT_GT(least.flows, 16'000u);
    EXPECT_GT(most.flows, 5'000'000u);
}

TEST(PodShares, AreAPartOfWhatAllHave) {
    EXPECT_EQ(PodShares::of(MapSizes{}).new_flows, 2048);
    MapSizes small;
    small.new_flows = 1024;
    EXPECT_EQ(PodShares::of(small).new_flows, 128);
}

} // namespace
} // namespace weir::test
