// SPDX-License-Identifier: Apache-2.0
// Loading, pinning, adopting, and what the programs leave for the agent to read.
#include "loader/dataplane.h"

#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <vector>

#include "loader/bpffs.h"
#include "loader/events.h"
#include "loader/test_run.h"
#include "tests/loader/kernel_fixture.h"

namespace weir::test {
namespace {

namespace fs = std::filesystem;

constexpr weir_rule_key kRule{7, 3};

weir_address address_of(std::uint8_t last) {
    weir_address address{};
    address.bytes[10] = address.bytes[11] = 0xff;
    address.bytes[12] = 10;
    address.bytes[15] = last;
    return address;
}

TEST(Dataplane, PrivateOneHasTheSizesAskedForAndLeavesNothing) {
    const auto dataplane = Dataplane::open({.bpffs = {}, .sizes = small_sizes()});
    ASSERT_TRUE(dataplane) << dataplane.error().what;
    EXPECT_FALSE(dataplane->is_adopted());
    EXPECT_EQ(dataplane->maps().rules.max_entries(), 1024u);
    EXPECT_EQ(dataplane->maps().rows.size(), 1024u);
    EXPECT_EQ(dataplane->sizes().prefixes, 256u);
    EXPECT_EQ(dataplane->maps().meta[0].abi_version, static_cast<std::uint32_t>(WEIR_ABI_VERSION));
}

TEST(Dataplane, PrivateOneIsAttachedToNothing) {
    auto dataplane = *Dataplane::open({.bpffs = {}, .sizes = small_sizes()});
    EXPECT_FALSE(dataplane.attach(1));
    EXPECT_TRUE(dataplane.attached()->empty());
}

TEST(Dataplane, NextOneAdoptsContent) {
    const BpffsFolder bpffs;
    {
        auto dataplane = open_dataplane(bpffs.path());
        EXPECT_FALSE(dataplane.is_adopted());
        const Maps& maps = dataplane.maps();
        ASSERT_TRUE(maps.rules.update(kRule, weir_row{5, 2}));
        ASSERT_TRUE(maps.peers.update(address_of(1), weir_peer{{}, 3}));
        ASSERT_TRUE(maps.prefixes.update(weir_prefix{104, {{}}}, 9));
        maps.tables[7] = {11, 1};
        maps.rows[5] = {0, 42};
        maps.meta[0].generation = 77;
        ASSERT_TRUE(dataplane.write_pod(
            4, {.ifindex = 30, .mac = {1, 2, 3, 4, 5, 6}, .addresses = {address_of(4)}}));
        store_word(maps.pods[4].rules[WEIR_INGRESS], WEIR_RULES_WORD(77, 7));
        ASSERT_TRUE(dataplane.bind(30, 4));
    }
    const auto dataplane = Dataplane::open({.bpffs = bpffs.path(), .sizes = small_sizes()});
    ASSERT_TRUE(dataplane) << dataplane.error().what;
    EXPECT_TRUE(dataplane->is_adopted());
    EXPECT_TRUE(dataplane->kept_maps().empty());
    EXPECT_EQ(dataplane->maps().rows[5].verdict, 42u);

    const auto state = dataplane->read_state();
    ASSERT_TRUE(state) << state.error().what;
    ASSERT_EQ(state->rules.size(), 1u);
    EXPECT_EQ(state->rules[0].first.class_id, 3u);
    ASSERT_EQ(state->default_rows.size(), 1u);
    EXPECT_EQ(state->default_rows[0].first, 7u);
    EXPECT_EQ(state->default_rows[0].second.offset, 11u);
    ASSERT_EQ(state->peers.size(), 1u);
    EXPECT_EQ(state->peers[0].second, 3u);
    ASSERT_EQ(state->prefixes.size(), 1u);
    ASSERT_EQ(state->slots.size(), 1u);
    EXPECT_EQ(state->slots[0].slot, 4u);
    EXPECT_EQ(state->slots[0].pod.mac[5], 6);
    EXPECT_EQ(state->endpoints, (std::vector<std::pair<std::uint32_t, std::uint32_t>>{{30, 4}}));
    EXPECT_EQ(state->meta.generation, 77u);
}

TEST(Dataplane, PinOfAnotherLayoutIsRefusedByName) {
    const BpffsFolder bpffs;
    fs::create_directories(bpffs.pins());
    const Fd wrong(bpf_map_create(BPF_MAP_TYPE_HASH, "wrong", 4, 4, 10, nullptr));
    ASSERT_EQ(bpf_obj_pin(wrong.value(), (bpffs.pins() + "/weir_rules").c_str()), 0);
    const auto dataplane = Dataplane::open({.bpffs = bpffs.path(), .sizes = small_sizes()});
    ASSERT_FALSE(dataplane);
    EXPECT_NE(dataplane.error().what.find("/weir_rules"), std::string::npos);
    EXPECT_NE(dataplane.error().what.find("weir cleanup"), std::string::npos);
    EXPECT_FALSE(fs::exists(bpffs.pins() + "/weir_peers"));
}

TEST(Dataplane, StateOfAnotherVersionIsRefused) {
    const BpffsFolder bpffs;
    fs::create_directories(bpffs.path() + "/v7");
    const auto dataplane = Dataplane::open({.bpffs = bpffs.path(), .sizes = small_sizes()});
    ASSERT_FALSE(dataplane);
    EXPECT_NE(dataplane.error().what.find("/v7"), std::string::npos) << dataplane.error().what;
}

TEST(Dataplane, CountersOfAnotherLengthStartAnew) {
    const BpffsFolder bpffs;
    fs::create_directories(bpffs.pins());
    const Fd old(bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "weir_counters", 4, 16, 3, nullptr));
    ASSERT_EQ(bpf_obj_pin(old.value(), (bpffs.pins() + "/weir_counters").c_str()), 0);
    const auto dataplane = open_dataplane(bpffs.path());
    EXPECT_EQ(dataplane.counters()->size(), static_cast<std::size_t>(WEIR_COUNTERS));
    const auto again = open_dataplane(bpffs.path()); // and the new ones are pinned
    EXPECT_TRUE(again.is_adopted());
}

TEST(Dataplane, FolderThatIsNoBpffsGetsOneUnlessItIsInUse) {
    const TempDirectory directory;
    const std::string in_use = directory.path() + "/in-use";
    fs::create_directory(in_use);
    write_file(in_use + "/file", "x");
    const auto refused = Dataplane::open({.bpffs = in_use, .sizes = small_sizes()});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find("not empty"), std::string::npos) << refused.error().what;

    const BpffsFolder outer; // unmounts what is mounted on top
    const std::string nested = outer.path() + "/nested/weir";
    const auto dataplane = Dataplane::open({.bpffs = nested, .sizes = small_sizes()});
    ASSERT_TRUE(dataplane) << dataplane.error().what;
    EXPECT_TRUE(fs::exists(nested + "/v" + std::to_string(WEIR_ABI_VERSION) + "/weir_pods"));
    EXPECT_TRUE(
        fs::exists(nested + "/v" + std::to_string(WEIR_ABI_VERSION) + "/programs/weir_pod_egress"));
}

TEST(Dataplane, FreedSlotIsEmpty) {
    auto dataplane = *Dataplane::open({.bpffs = {}, .sizes = small_sizes()});
    const Maps& maps = dataplane.maps();
    ASSERT_TRUE(dataplane.write_pod(0, {.ifindex = 3, .mac = {1}, .addresses = {address_of(1)}}));
    store_word(maps.pods[0].rules[WEIR_EGRESS], WEIR_RULES_WORD(1, 1));
    EXPECT_EQ(maps.pods[0].addresses[0].bytes[15], 1);
    ASSERT_TRUE(dataplane.free_slot(0));
    const weir_pod empty{};
    EXPECT_EQ(std::memcmp(&maps.pods[0], &empty, sizeof(empty)), 0);
    EXPECT_FALSE(dataplane.write_pod(WEIR_MAX_PODS, {}));
    EXPECT_FALSE(dataplane.free_slot(WEIR_MAX_PODS));
}

TEST(Dataplane, ListsItsMapsWithTheirMemory) {
    const auto dataplane = *Dataplane::open({.bpffs = {}, .sizes = small_sizes()});
    const auto infos = dataplane.map_infos();
    EXPECT_EQ(infos.size(), 16u);
    const auto flows = std::ranges::find(infos, "weir_flows", &MapInfo::name);
    ASSERT_NE(flows, infos.end());
    EXPECT_EQ(flows->max_entries, 1024u);
    EXPECT_GT(flows->memory, 1024u * sizeof(weir_flow));
}

struct PacketTest : ::testing::Test {
    // An IPv4 packet that no endpoint is registered for.
    std::vector<std::byte> packet = [] {
        std::vector<std::byte> bytes(60);
        bytes[12] = std::byte{0x08};
        bytes[14] = std::byte{0x45};
        bytes[17] = std::byte{46};
        bytes[22] = std::byte{64};
        bytes[23] = std::byte{17};
        return bytes;
    }();
    Dataplane dataplane = *Dataplane::open({.bpffs = {}, .sizes = small_sizes()});
};

TEST_F(PacketTest, RunIsJudgedCountedAndReported) {
    std::vector<weir_event> events;
    auto reader =
        EventReader::open(dataplane.events_fd(), [&](const weir_event& e) { events.push_back(e); });
    ASSERT_TRUE(reader) << reader.error().what;
    std::vector<std::byte> output(100);
    const auto run = run_packet(dataplane.program_fd(WEIR_INGRESS), packet,
                                {.ingress_ifindex = 1, .mark = 5}, 3, output);
    ASSERT_TRUE(run) << run.error().what;
    EXPECT_EQ(run->verdict, TCX_DROP);
    EXPECT_EQ(run->output_size, packet.size());
    EXPECT_TRUE(std::equal(packet.begin(), packet.end(), output.begin()));

    const auto counters = dataplane.counters();
    ASSERT_TRUE(counters) << counters.error().what;
    const auto index = counter_index(WEIR_INGRESS, WEIR_DROP_NO_ENDPOINT);
    EXPECT_EQ((*counters)[index].packets, 3u);
    EXPECT_EQ((*counters)[index].bytes, 3u * packet.size());

    ASSERT_EQ(*reader->consume(), 3u);
    EXPECT_EQ(events[0].type, WEIR_EVENT_DENIED);
    EXPECT_EQ(events[0].reason, WEIR_DROP_NO_ENDPOINT);
    EXPECT_EQ(*reader->consume(), 0u);
    EXPECT_EQ(reader->malformed(), 0u);
    EXPECT_GE(reader->fd(), 0);
}

TEST_F(PacketTest, RunOfWhatIsNoFrameFails) {
    EXPECT_FALSE(run_packet(dataplane.program_fd(WEIR_EGRESS), std::span(packet).first(5)));
}

TEST(GracePeriod, IsShort) {
    const auto start = std::chrono::steady_clock::now();
    grace_period();
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

} // namespace
} // namespace weir::test
