// SPDX-License-Identifier: Apache-2.0
// Weights as slots, and Maglev tables.
#include "policy/slot_shares.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "policy/maglev.h"

namespace weir {
namespace {

using testing::ElementsAre;

std::vector<std::uint32_t> slots(const std::vector<WeightedGroup>& groups) {
    return slots_per_endpoint(groups);
}

TEST(SlotShares, FewSlotsWhereWeightsAreSimple) {
    EXPECT_THAT(slots({{1, 3}}), ElementsAre(1));
    EXPECT_THAT(slots({{90, 3}, {10, 3}}), ElementsAre(9, 1));
    EXPECT_THAT(slots({{50, 1}, {50, 2}}), ElementsAre(2, 1));
    EXPECT_THAT(slots({{2, 2}, {3, 3}}), ElementsAre(1, 1));
    EXPECT_THAT(slots({{1, 3}, {1, 2}}), ElementsAre(2, 3));
}

TEST(SlotShares, NoWeightAndNoEndpointsHaveNoSlots) {
    EXPECT_THAT(slots({{0, 3}, {10, 3}, {5, 0}}), ElementsAre(0, 1, 0));
    EXPECT_THAT(slots({{0, 3}}), ElementsAre(0));
    EXPECT_THAT(slots({}), ElementsAre());
}

TEST(SlotShares, EveryShareIsExactToAPercent) {
    for (const std::vector<WeightedGroup>& groups : {std::vector<WeightedGroup>{{97, 7}, {3, 5}},
                                                     {{99, 11}, {1, 13}},
                                                     {{999, 3}, {1, 7}},
                                                     {{333, 17}, {333, 19}, {334, 23}},
                                                     {{1, 100}, {99, 1}}}) {
        const auto each = slots(groups);
        double total = 0;
        double weights = 0;
        for (std::size_t i = 0; i < groups.size(); ++i) {
            total += double(each[i]) * groups[i].endpoints;
            weights += groups[i].weight;
        }
        EXPECT_LE(total, kMostSlots);
        for (std::size_t i = 0; i < groups.size(); ++i) {
            const double share = each[i] * groups[i].endpoints / total;
            EXPECT_NEAR(share * weights / groups[i].weight, 1, 0.005);
        }
    }
}

TEST(SlotShares, ExtremeWeightsStayWithinTheLimit) {
    const auto each = slots({{1'000'000, 3}, {1, 3}});
    EXPECT_LE(each[0] * 3 + each[1] * 3, kMostSlots + 3);
    EXPECT_EQ(each[1], 1U);
}

TEST(SlotShares, SlotsAreSpread) {
    const std::vector<std::uint32_t> counts{3, 1};
    EXPECT_THAT(spread_slots(counts), ElementsAre(0, 0, 1, 0));
}

std::vector<MaglevBackend> backends(int count) {
    std::vector<MaglevBackend> result;
    for (int i = 0; i < count; ++i)
        result.push_back({"10.1.0." + std::to_string(i) + ":8080/tcp", 1});
    return result;
}

std::vector<std::string> names(const std::vector<MaglevBackend>& all) {
    std::vector<std::string> result;
    for (const auto position : maglev_table(all))
        result.push_back(all[position].name);
    return result;
}

TEST(Maglev, SizesAreScaled) {
    EXPECT_EQ(maglev_size(1), 251U);
    EXPECT_EQ(maglev_size(3), 509U);
    EXPECT_EQ(maglev_size(10), 1021U);
    EXPECT_EQ(maglev_size(1000), 131'071U);
    EXPECT_EQ(maglev_size(100'000), 131'071U);
}

TEST(Maglev, TheOrderOfBackendsDoesNotMatter) {
    auto all = backends(7);
    const auto table = names(all);
    std::ranges::reverse(all);
    EXPECT_EQ(names(all), table);
}

// Fixed for ever: nodes of different versions must agree.
TEST(Maglev, TheTableIsTheSameInEveryVersion) {
    const auto table = maglev_table(backends(3));
    const std::vector<std::uint32_t> first(table.begin(), table.begin() + 12);
    EXPECT_THAT(first, ElementsAre(2, 0, 2, 0, 0, 1, 2, 2, 2, 0, 1, 0));
}

TEST(Maglev, SharesAreEvenAndFollowWeights) {
    auto all = backends(10);
    std::map<std::uint32_t, int> counts;
    for (const auto position : maglev_table(all))
        ++counts[position];
    for (const auto& [backend, count] : counts)
        EXPECT_NEAR(count, 102, 1);
    all[0].weight = 0;
    all[1].weight = 3;
    counts.clear();
    for (const auto position : maglev_table(all))
        ++counts[position];
    EXPECT_EQ(counts.count(0), 0U);
    EXPECT_NEAR(counts[1], 1021 * 3 / 11, 2);
    EXPECT_NEAR(counts[2], 1021 / 11, 2);
}

TEST(Maglev, ABackendThatGoesMovesFewOthers) {
    const auto all = backends(10);
    const auto before = names(all);
    const auto after = names({all.begin(), all.end() - 1});
    ASSERT_EQ(before.size(), after.size());
    int moved = 0;
    for (std::size_t i = 0; i < before.size(); ++i)
        moved += before[i] != all[9].name && before[i] != after[i] ? 1 : 0;
    EXPECT_LT(moved, static_cast<int>(before.size()) / 20);
}

} // namespace
} // namespace weir
