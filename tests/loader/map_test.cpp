// SPDX-License-Identifier: Apache-2.0
#include "loader/map.h"

#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <numeric>
#include <vector>

#include "loader/array_view.h"
#include "loader/fd.h"
#include "tests/loader/kernel_fixture.h"

namespace weir::test {
namespace {

using Key = std::uint32_t;
using Value = std::uint64_t;

Fd make_map(bpf_map_type type, std::uint32_t key_size, std::uint32_t value_size,
            std::uint32_t max_entries, std::uint32_t flags = 0) {
    LIBBPF_OPTS(bpf_map_create_opts, options);
    options.map_flags = flags;
    return Fd(bpf_map_create(type, "test_map", key_size, value_size, max_entries, &options));
}

struct HashTest : ::testing::Test {
    explicit HashTest(std::uint32_t max_entries = 10)
        : fd(make_map(BPF_MAP_TYPE_HASH, 4, 8, max_entries, BPF_F_NO_PREALLOC)),
          map(*Map<Key, Value>::open(fd.value())) {}

    std::map<Key, Value> content() {
        std::map<Key, Value> entries;
        EXPECT_TRUE(map.for_each([&](const Key& key, const Value& value) {
            EXPECT_TRUE(entries.emplace(key, value).second) << key;
        }));
        return entries;
    }

    Fd fd;
    Map<Key, Value> map;
};

std::vector<Key> keys_from(Key first, std::size_t count) {
    std::vector<Key> keys(count);
    std::iota(keys.begin(), keys.end(), first);
    return keys;
}

TEST(MapOpen, RefusesOtherSizes) {
    const Fd fd = make_map(BPF_MAP_TYPE_HASH, 4, 8, 10);
    const auto map = Map<Key, std::uint32_t>::open(fd.value());
    ASSERT_FALSE(map);
    EXPECT_NE(map.error().what.find("test_map"), std::string::npos) << map.error().what;
}

TEST_F(HashTest, FindsUpdatesAndErasesSingleKeys) {
    EXPECT_FALSE(map.lookup(1)->has_value());
    EXPECT_TRUE(map.update(1, 11));
    EXPECT_EQ(**map.lookup(1), 11u);
    EXPECT_EQ(map.update(1, 12, BPF_NOEXIST).error().code, EEXIST);
    EXPECT_EQ(**map.lookup(1), 11u);
    EXPECT_TRUE(*map.erase(1));
    EXPECT_FALSE(*map.erase(1));
}

TEST_F(HashTest, BatchThatDoesNotFitSaysHowFarItGot) {
    const auto keys = keys_from(100, 25);
    const std::vector<Value> values(25, 7);
    const auto outcome = map.update(keys, values);
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(outcome.done, 10u);
    EXPECT_EQ(outcome.error->code, E2BIG);
    EXPECT_NE(outcome.error->what.find("update test_map"), std::string::npos);
    EXPECT_EQ(content().size(), 10u);
    EXPECT_TRUE(content().contains(109));
}

TEST_F(HashTest, BatchUpdateReplacesValues) {
    ASSERT_TRUE(map.update(101, 1));
    const auto outcome = map.update(keys_from(100, 3), std::vector<Value>{5, 6, 7});
    EXPECT_FALSE(outcome.error);
    EXPECT_EQ(outcome.done, 3u);
    EXPECT_EQ(content(), (std::map<Key, Value>{{100, 5}, {101, 6}, {102, 7}}));
}

TEST_F(HashTest, BatchEraseSkipsWhatIsNotThere) {
    ASSERT_FALSE(map.update(keys_from(0, 6), std::vector<Value>(6, 1)).error);
    const auto outcome = map.erase(std::vector<Key>{50, 0, 51, 52, 5, 53});
    EXPECT_FALSE(outcome.error);
    EXPECT_EQ(outcome.done, 6u);
    EXPECT_EQ(content().size(), 4u);
    EXPECT_FALSE(content().contains(0) || content().contains(5));
}

TEST_F(HashTest, EmptyBatchesDoNothing) {
    EXPECT_FALSE(map.update(std::vector<Key>{}, std::vector<Value>{}).error);
    EXPECT_FALSE(map.erase(std::vector<Key>{}).error);
    EXPECT_TRUE(content().empty());
}

struct LargeHashTest : HashTest {
    LargeHashTest() : HashTest(50'000) {}
};

// Also: many allocations in a row without a failure.
TEST_F(LargeHashTest, VisitsEveryEntryOnce) {
    const auto keys = keys_from(1, 50'000);
    std::vector<Value> values(keys.begin(), keys.end());
    const auto outcome = map.update(keys, values);
    ASSERT_FALSE(outcome.error) << outcome.error->what;
    const auto entries = content();
    EXPECT_EQ(entries.size(), keys.size());
    for (const auto& [key, value] : entries)
        ASSERT_EQ(key, value);
    EXPECT_FALSE(map.erase(keys).error);
    EXPECT_TRUE(content().empty());
}

TEST_F(LargeHashTest, VisitsToTheEndWhileEntriesGo) {
    const auto keys = keys_from(1, 20'000);
    ASSERT_FALSE(map.update(keys, std::vector<Value>(keys.size(), 1)).error);
    std::size_t visited = 0;
    EXPECT_TRUE(map.for_each([&](const Key& key, const Value&) {
        ++visited;
        EXPECT_TRUE(map.erase(key)); // its neighbour's turn may be over
    }));
    EXPECT_EQ(visited, keys.size());
    EXPECT_TRUE(content().empty());
}

struct TriePrefix {
    std::uint32_t length;
    std::uint8_t bytes[4];
};

TEST(Trie, HasBatchesAndVisits) {
    const Fd fd = make_map(BPF_MAP_TYPE_LPM_TRIE, 8, 4, 600, BPF_F_NO_PREALLOC);
    const auto map = *Map<TriePrefix, std::uint32_t>::open(fd.value());
    std::vector<TriePrefix> keys;
    std::vector<std::uint32_t> values;
    for (std::uint32_t i = 0; i < 500; ++i) {
        keys.push_back(
            {24, {10, static_cast<std::uint8_t>(i / 250), static_cast<std::uint8_t>(i % 250), 0}});
        values.push_back(i);
    }
    const auto outcome = map.update(keys, values);
    ASSERT_FALSE(outcome.error) << outcome.error->what;
    std::map<std::uint32_t, int> seen;
    ASSERT_TRUE(map.for_each([&](const TriePrefix&, std::uint32_t value) { ++seen[value]; }));
    EXPECT_EQ(seen.size(), 500u);
    EXPECT_EQ(**map.lookup({32, {10, 1, 7, 9}}), 257u);
    ASSERT_FALSE(map.erase(keys).error);
    EXPECT_FALSE(map.lookup({32, {10, 1, 7, 9}})->has_value());
}

TEST(Trie, EmptyOneIsVisited) {
    const Fd fd = make_map(BPF_MAP_TYPE_LPM_TRIE, 8, 4, 6, BPF_F_NO_PREALLOC);
    const auto map = *Map<TriePrefix, std::uint32_t>::open(fd.value());
    int visits = 0;
    EXPECT_TRUE(map.for_each([&](const TriePrefix&, std::uint32_t) { ++visits; }));
    EXPECT_EQ(visits, 0);
}

struct Odd {
    std::uint32_t words[3]; // 12 bytes: the kernel rounds elements up to 16
};

TEST(ArrayView, IsTheMapsMemory) {
    const Fd fd = make_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(Odd), 1000, BPF_F_MMAPABLE);
    auto view = ArrayView<Odd>::open(fd.value());
    ASSERT_TRUE(view) << view.error().what;
    EXPECT_EQ(view->size(), 1000u);
    (*view)[999] = Odd{{1, 2, 3}};
    const auto map = *Map<std::uint32_t, Odd>::open(fd.value());
    EXPECT_EQ((*map.lookup(999))->words[2], 3u);
    ASSERT_TRUE(map.update(1, Odd{{4, 5, 6}}));
    EXPECT_EQ((*view)[1].words[0], 4u);
    EXPECT_EQ((*view)[0].words[0], 0u);
    const ArrayView<Odd> moved = std::move(*view);
    EXPECT_EQ(moved[1].words[2], 6u);
}

TEST(ArrayView, RefusesWhatCannotBeMapped) {
    const Fd plain = make_map(BPF_MAP_TYPE_ARRAY, 4, 8, 10);
    EXPECT_FALSE(ArrayView<std::uint64_t>::open(plain.value()));
    const Fd other = make_map(BPF_MAP_TYPE_ARRAY, 4, 16, 10, BPF_F_MMAPABLE);
    EXPECT_FALSE(ArrayView<std::uint64_t>::open(other.value()));
}

TEST(Peers, ClassesChangeUnderTheLockInBatches) {
    const auto dataplane = *Dataplane::open({.bpffs = {}, .sizes = small_sizes()});
    const auto& peers = dataplane.maps().peers;
    std::vector<weir_address> keys(500);
    for (std::size_t i = 0; i < keys.size(); ++i)
        keys[i].halves[0] = i + 1;
    const auto classes = [&](std::uint32_t id) {
        return std::vector(keys.size(), weir_peer{{}, id});
    };
    ASSERT_FALSE(peers.update(keys, classes(3), BPF_F_LOCK).error);
    const auto outcome = peers.update(keys, classes(4), BPF_F_LOCK);
    ASSERT_FALSE(outcome.error) << outcome.error->what;
    std::size_t count = 0;
    ASSERT_TRUE(peers.for_each([&](const weir_address&, const weir_peer& peer) {
        ++count;
        EXPECT_EQ(peer.class_id, 4u);
    }));
    EXPECT_EQ(count, keys.size());
}

} // namespace
} // namespace weir::test
