// SPDX-License-Identifier: Apache-2.0
#include "loader/map_budget.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <ranges>

namespace weir {
namespace {

// The kernel's own beside each key and value, on 64 bits.
constexpr std::uint64_t kBucket = 16;    // struct bucket
constexpr std::uint64_t kElement = 48;   // struct htab_elem
constexpr std::uint64_t kTrieNode = 40;  // struct lpm_trie_node
constexpr std::uint64_t kAllocation = 8; // bpf_mem_alloc's, of an element without preallocation
constexpr std::uint64_t kRingPages = 3;  // of the ring buffer's own
constexpr std::uint64_t kPage = 4096;
// Endpoints, pods, loads; counters of 256 CPUs; what the kernel rounds up.
constexpr std::uint64_t kFixed = std::uint64_t{2} << 20;

// Sizes are taken in these parts of MapSizes{}.
constexpr std::uint64_t kParts = 64;

constexpr std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

template <typename Key, typename Value>
std::uint64_t hash(std::uint64_t entries, std::uint64_t beside = 0) {
    const std::uint64_t element =
        kElement + round_up(sizeof(Key), 8) + round_up(sizeof(Value), 8) + beside;
    return std::bit_ceil(entries) * kBucket + entries * element;
}

// Every prefix may need a node of the kernel's own where it branches off, which is allocated as
// large; sizes of allocations are powers of two.
std::uint64_t trie(std::uint64_t entries) {
    constexpr std::uint64_t node =
        kTrieNode + sizeof(weir_prefix{}.address) + sizeof(std::uint32_t);
    return 2 * entries * std::bit_ceil(node);
}

template <typename Value>
std::uint64_t array(std::uint64_t entries) {
    return round_up(entries * sizeof(Value), kPage);
}

std::uint32_t scaled(std::uint32_t size, std::uint64_t parts) {
    return static_cast<std::uint32_t>(size * parts / kParts);
}

MapSizes scaled(std::uint64_t parts) {
    const MapSizes whole;
    return {.peers = scaled(whole.peers, parts),
            .prefixes = scaled(whole.prefixes, parts),
            .tables = scaled(whole.tables, parts),
            .rules = scaled(whole.rules, parts),
            .intervals = scaled(whole.intervals, parts),
            .flows = scaled(whole.flows, parts),
            .new_flows = scaled(whole.new_flows, parts),
            .fragments = scaled(whole.fragments, parts),
            .event_bytes = std::bit_floor(scaled(whole.event_bytes, parts))};
}

} // namespace

std::uint64_t map_memory(const MapSizes& sizes) {
    return kFixed + hash<weir_address, weir_peer>(sizes.peers, kAllocation) + trie(sizes.prefixes) +
           array<weir_row>(sizes.tables) + hash<weir_rule_key, weir_row>(sizes.rules) +
           array<weir_interval>(sizes.intervals) + hash<weir_flow_key, weir_flow>(sizes.flows) +
           2 * hash<weir_flow_key, weir_flow>(sizes.new_flows) +
           2 * hash<weir_fragment_key, weir_fragment>(sizes.fragments) + sizes.event_bytes +
           kRingPages * kPage;
}

MapSizes sizes_for(std::uint64_t budget) {
    assert(budget >= kLeastMapMemory && budget <= kMostMapMemory);
    const auto parts =
        std::views::iota(std::uint64_t{1}, kMostMapMemory / kDefaultMapMemory * 2 * kParts);
    const auto too_many = std::ranges::partition_point(
        parts, [budget](std::uint64_t count) { return map_memory(scaled(count)) <= budget; });
    return scaled(*too_many - 1);
}

} // namespace weir
