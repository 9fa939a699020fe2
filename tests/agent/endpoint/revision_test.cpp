// SPDX-License-Identifier: Apache-2.0
// Transactions on real maps: everything is written, or nothing has changed.
#include "agent/revision.h"

#include <gtest/gtest.h>

#include <vector>

#include "policy/transaction.h"
#include "tests/loader/kernel_fixture.h"

namespace weir::test {
namespace {

weir_address address_of(std::uint32_t number) {
    weir_address address{};
    address.words[0] = 0xfd;
    address.words[3] = number;
    return address;
}

weir_prefix prefix_of(std::uint8_t number) {
    return {104, {{0, 0, 0, number}}};
}

std::vector<PeerWrite> peers(std::uint32_t first, std::uint32_t count, std::uint32_t class_id) {
    std::vector<PeerWrite> writes;
    for (std::uint32_t i = 0; i < count; ++i)
        writes.push_back({address_of(first + i), class_id});
    return writes;
}

constexpr std::uint32_t kTooMany = 2000; // the maps hold 1024

struct RevisionTest : ::testing::Test {
    RevisionTest() {
        Transaction first;
        first.rows = {{0, {{0, 16 | WEIR_VERDICT_DENY}}}};
        first.default_rows = {{1, {0, 1}}};
        first.peers = peers(1, 3, 5);
        first.prefixes = {{prefix_of(10), 6}};
        first.flips = {{2, WEIR_INGRESS, WEIR_RULES_WORD(1, 1)}};
        first.generation = 1;
        first.rule = 16;
        EXPECT_TRUE(dataplane.write_pod(2, {.ifindex = 9, .mac = {}, .addresses = {}}));
        const auto written = write_revision(dataplane, first, 1);
        EXPECT_TRUE(written) << written.error().what;
    }

    // A second revision that needs everything.
    Transaction second() const {
        Transaction next;
        next.rows = {{1, {{0, 17}, {WEIR_PORT_KEY(6, 80), 18}}}};
        next.default_rows = {{2, {1, 2}}};
        next.rules = {{{2, 7}, {1, 2}}, {{1, 7}, {0, 1}}};
        next.peers = peers(2, 4, 7);
        next.prefixes = {{prefix_of(10), 7}, {prefix_of(11), 7}};
        next.flips = {{2, WEIR_INGRESS, WEIR_RULES_WORD(2, 2)}};
        next.final_peers = peers(2, 4, 8);
        next.generation = 2;
        next.rule = 18;
        return next;
    }

    std::uint32_t class_of(std::uint32_t number) const {
        const auto peer = *dataplane.maps().peers.lookup(address_of(number));
        return peer ? peer->class_id : 0;
    }

    void expect_first_in_force() const {
        const Maps& maps = dataplane.maps();
        EXPECT_EQ(class_of(1), 5u);
        EXPECT_EQ(class_of(2), 5u);
        EXPECT_EQ(class_of(5), 0u);
        EXPECT_EQ(class_of(100), 0u);
        EXPECT_EQ(**maps.prefixes.lookup(prefix_of(10)), 6u);
        EXPECT_FALSE(maps.prefixes.lookup(prefix_of(11))->has_value());
        EXPECT_FALSE(maps.rules.lookup({2, 7})->has_value());
        EXPECT_EQ(maps.pods[2].rules[WEIR_INGRESS], WEIR_RULES_WORD(1, 1));
        EXPECT_EQ(maps.meta[0].revision, 1u);
    }

    Dataplane dataplane = *Dataplane::open({.bpffs = {}, .sizes = small_sizes()});
};

TEST_F(RevisionTest, IsWrittenWhole) {
    const auto written = write_revision(dataplane, second(), 2);
    ASSERT_TRUE(written) << written.error().what;
    const Maps& maps = dataplane.maps();
    ASSERT_TRUE(maps.rows.acquire() && maps.tables.acquire());
    EXPECT_EQ(maps.rows[2].verdict, 18u);
    EXPECT_EQ(maps.tables[2].count, 2u);
    EXPECT_EQ((*maps.rules.lookup({2, 7}))->offset, 1u);
    EXPECT_EQ(class_of(1), 5u);
    EXPECT_EQ(class_of(5), 8u);
    EXPECT_EQ(**maps.prefixes.lookup(prefix_of(11)), 7u);
    EXPECT_EQ(maps.pods[2].rules[WEIR_INGRESS], WEIR_RULES_WORD(2, 2));
    EXPECT_EQ(maps.pods[2].rules[WEIR_EGRESS], 0u);
    EXPECT_EQ(maps.meta[0].generation, 2u);
    EXPECT_EQ(maps.meta[0].rule, 18u);
    EXPECT_EQ(maps.meta[0].revision, 2u);
}

TEST_F(RevisionTest, IsTakenBackWhenRulesDoNotFit) {
    auto next = second();
    for (std::uint32_t i = 0; i < kTooMany; ++i)
        next.rules.push_back({{3, i + 1}, {0, 1}});
    const auto written = write_revision(dataplane, next, 2);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, E2BIG);
    EXPECT_NE(written.error().what.find("weir_rules"), std::string::npos);
    expect_first_in_force();
    EXPECT_FALSE(dataplane.maps().rules.lookup({3, 1})->has_value());
}

TEST_F(RevisionTest, IsTakenBackWhenPeersDoNotFit) {
    auto next = second();
    for (const auto& peer : peers(100, kTooMany, 7))
        next.peers.push_back(peer);
    ASSERT_FALSE(write_revision(dataplane, next, 2));
    expect_first_in_force();
}

TEST_F(RevisionTest, IsTakenBackEvenAfterTheFlips) {
    auto next = second();
    next.final_peers = peers(100, kTooMany, 7);
    ASSERT_FALSE(write_revision(dataplane, next, 2));
    expect_first_in_force();
    // Flows may have been judged under it meanwhile: it must not be given out again.
    EXPECT_EQ(dataplane.maps().meta[0].generation, 2u);
}

TEST_F(RevisionTest, BeyondTheArraysIsRefusedBeforeAnythingIsWritten) {
    auto row = second(), table = second(), slot = second();
    row.rows.push_back({1023, {{0, 1}, {1, 2}}});
    table.default_rows.push_back({64, {0, 1}});
    slot.flips.push_back({WEIR_MAX_PODS, WEIR_EGRESS, 1});
    for (const auto& transaction : {row, table, slot}) {
        EXPECT_FALSE(write_revision(dataplane, transaction, 2));
        expect_first_in_force();
        ASSERT_TRUE(dataplane.maps().tables.acquire());
        EXPECT_EQ(dataplane.maps().tables[2].count, 0u);
    }
}

TEST_F(RevisionTest, GarbageIsErasedThoughSomeIsGone) {
    ASSERT_TRUE(write_revision(dataplane, second(), 2));
    Garbage garbage;
    garbage.rules = {{9, 9}, {1, 7}};
    garbage.peers = {address_of(1), address_of(77)};
    garbage.prefixes = {prefix_of(99), prefix_of(11)};
    const auto erased = erase_garbage(dataplane, garbage);
    ASSERT_TRUE(erased) << erased.error().what;
    EXPECT_FALSE(dataplane.maps().rules.lookup({1, 7})->has_value());
    EXPECT_TRUE(dataplane.maps().rules.lookup({2, 7})->has_value());
    EXPECT_EQ(class_of(1), 0u);
    EXPECT_FALSE(dataplane.maps().prefixes.lookup(prefix_of(11))->has_value());
    EXPECT_TRUE(erase_garbage(dataplane, garbage));
}

TEST_F(RevisionTest, IsReadBackForTheNextAgent) {
    ASSERT_TRUE(write_revision(dataplane, second(), 2));
    const auto state = read_kernel_state(dataplane);
    ASSERT_TRUE(state) << state.error().what;
    EXPECT_EQ(state->rules.size(), 2u);
    EXPECT_EQ(state->peers.size(), 5u);
    EXPECT_EQ(state->prefixes.size(), 2u);
    ASSERT_EQ(state->slots.size(), 2u);
    EXPECT_EQ(state->slots[1].word, WEIR_RULES_WORD(2, 2));
    ASSERT_EQ(state->default_rows.size(), 1u);
    EXPECT_EQ(state->default_rows[0].table, 2u);
    EXPECT_EQ(state->generation, 2u);
    EXPECT_EQ(state->rule, 18u);
    EXPECT_EQ(limits_of(dataplane).tables, 64u);
}

} // namespace
} // namespace weir::test
