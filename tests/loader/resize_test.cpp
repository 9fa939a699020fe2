// SPDX-License-Identifier: Apache-2.0
// Another memory budget over the pinned maps of an earlier agent: what policy wrote moves, what the
// programs write stays, nothing starts empty. And the kernel takes no more than the budget says.
#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>
#include <string>

#include "loader/bpffs.h"
#include "loader/dataplane.h"
#include "loader/map_budget.h"
#include "tests/loader/kernel_fixture.h"

namespace weir::test {
namespace {

weir_address address_of(std::uint32_t i) {
    weir_address address{};
    address.words[3] = i + 1;
    return address;
}

weir_prefix prefix_of(std::uint32_t i) {
    weir_prefix prefix{.prefix_length = 64, .address = {}};
    std::memcpy(prefix.address.bytes, &i, sizeof(i));
    return prefix;
}

weir_flow_key flow_of(std::uint16_t i) {
    weir_flow_key key{};
    key.low_port = i;
    return key;
}

// As many rules and addresses as asked for, one prefix, the last table and row, one flow.
void write_content(const Dataplane& dataplane, std::uint32_t count) {
    const Maps& maps = dataplane.maps();
    for (std::uint32_t i = 0; i < count; ++i) {
        ASSERT_TRUE(maps.rules.update({.table = 1, .class_id = i}, {.offset = i, .count = 1}));
        ASSERT_TRUE(maps.peers.update(address_of(i), {{}, i}));
    }
    ASSERT_TRUE(maps.prefixes.update(prefix_of(1), 7));
    maps.tables[63] = {.offset = 1023, .count = 1};
    maps.rows[1023] = {.start = 0, .verdict = 42};
    ASSERT_TRUE(maps.flows.update(flow_of(1), weir_flow{}));
}

void expect_content(const Dataplane& dataplane, std::uint32_t count) {
    const Maps& maps = dataplane.maps();
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto rule = maps.rules.lookup({.table = 1, .class_id = i});
        ASSERT_TRUE(rule && *rule) << i;
        ASSERT_EQ((*rule)->offset, i);
        const auto peer = maps.peers.lookup(address_of(i));
        ASSERT_TRUE(peer && *peer) << i;
        ASSERT_EQ((*peer)->class_id, i);
    }
    const auto prefix = maps.prefixes.lookup(prefix_of(1));
    ASSERT_TRUE(prefix && *prefix);
    EXPECT_EQ(**prefix, 7u);
    EXPECT_EQ(maps.tables[63].offset, 1023u);
    EXPECT_EQ(maps.rows[1023].verdict, 42u);
    const auto flow = maps.flows.lookup(flow_of(1));
    EXPECT_TRUE(flow && *flow);
}

MapSizes twice(MapSizes sizes) {
    for (auto* size : {&sizes.peers, &sizes.prefixes, &sizes.tables, &sizes.rules, &sizes.intervals,
                       &sizes.flows, &sizes.new_flows, &sizes.fragments, &sizes.event_bytes})
        *size *= 2;
    return sizes;
}

Dataplane open_sized(const BpffsFolder& bpffs, const MapSizes& sizes) {
    auto dataplane = Dataplane::open({.bpffs = bpffs.path(), .sizes = sizes});
    EXPECT_TRUE(dataplane) << dataplane.error().what;
    return std::move(*dataplane);
}

std::set<std::string> kept(const Dataplane& dataplane) {
    return {dataplane.kept_maps().begin(), dataplane.kept_maps().end()};
}

const std::set<std::string> kWrittenByPrograms{
    "weir_flows",     "weir_new_flows",         "weir_crowded_flows",
    "weir_fragments", "weir_crowded_fragments", "weir_events"};

TEST(Resize, MoreMemoryMovesPolicyAndKeepsFlows) {
    const BpffsFolder bpffs;
    write_content(open_dataplane(bpffs.path()), 1000);
    for (int i = 0; i < 2; ++i) { // the second finds the new maps under the pins
        const auto dataplane = open_sized(bpffs, twice(small_sizes()));
        EXPECT_EQ(dataplane.sizes().rules, 2048u);
        EXPECT_EQ(dataplane.sizes().intervals, 2048u);
        EXPECT_EQ(dataplane.sizes().flows, 1024u);
        EXPECT_EQ(kept(dataplane), kWrittenByPrograms);
        expect_content(dataplane, 1000);
        EXPECT_TRUE(dataplane.maps().rules.update({.table = 2, .class_id = 1}, {1, 1}));
    }
}

TEST(Resize, LessMemoryMovesWhatFillsHalfAndKeepsTheRest) {
    const BpffsFolder bpffs;
    write_content(open_sized(bpffs, twice(small_sizes())), 512);
    const auto dataplane = open_sized(bpffs, small_sizes());
    EXPECT_EQ(dataplane.sizes().rules, 1024u);
    EXPECT_EQ(dataplane.sizes().prefixes, 256u);
    EXPECT_EQ(dataplane.sizes().tables, 128u) << "arrays only grow";
    EXPECT_EQ(dataplane.sizes().intervals, 2048u);
    expect_content(dataplane, 512);
}

TEST(Resize, LessMemoryThanTheContentNeedsKeepsThePlace) {
    const BpffsFolder bpffs;
    write_content(open_sized(bpffs, twice(small_sizes())), 513);
    const auto dataplane = open_sized(bpffs, small_sizes());
    EXPECT_EQ(dataplane.sizes().rules, 2048u);
    EXPECT_EQ(dataplane.sizes().peers, 2048u);
    EXPECT_TRUE(kept(dataplane).contains("weir_rules"));
    expect_content(dataplane, 513);
}

TEST(Resize, AgentThatDiedHalfWayLeavesNothingBehind) {
    const BpffsFolder bpffs;
    const auto old = open_dataplane(bpffs.path());
    write_content(old, 1000);
    (void)open_sized(bpffs, twice(small_sizes()));
    // As if it had died before it came to this pin.
    ASSERT_TRUE(replace_pin(old.maps().rules.raw().fd(), bpffs.pins() + "/weir_rules"));
    const auto dataplane = open_sized(bpffs, twice(small_sizes()));
    EXPECT_EQ(dataplane.sizes().rules, 2048u);
    expect_content(dataplane, 1000);
}

TEST(Resize, FullMapsStayWithinTheBudget) {
    const auto dataplane = *Dataplane::open({.bpffs = {}, .sizes = sizes_for(kLeastMapMemory)});
    const Maps& maps = dataplane.maps();
    for (std::uint32_t i = 0; i < dataplane.sizes().rules; ++i)
        ASSERT_TRUE(maps.rules.update({.table = 1, .class_id = i}, {.offset = i, .count = 1}));
    for (std::uint32_t i = 0; i < dataplane.sizes().peers; ++i)
        ASSERT_TRUE(maps.peers.update(address_of(i), {{}, i}));
    for (std::uint32_t i = 0; i < dataplane.sizes().prefixes; ++i)
        ASSERT_TRUE(maps.prefixes.update(prefix_of(i), i));
    const auto infos = dataplane.map_infos();
    const auto used =
        std::accumulate(infos.begin(), infos.end(), std::uint64_t{0},
                        [](std::uint64_t sum, const MapInfo& info) { return sum + info.memory; });
    EXPECT_LE(used, map_memory(dataplane.sizes()));
    EXPECT_LE(used, kLeastMapMemory);
    EXPECT_GT(used, kLeastMapMemory / 4) << "before 6.4 the kernel leaves its own share out";
}

} // namespace
} // namespace weir::test
