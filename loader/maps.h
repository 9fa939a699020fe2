// SPDX-License-Identifier: Apache-2.0
// Every map of the pod object (bpf/abi.h), typed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bpf/abi_uplink.h"
#include "loader/array_view.h"
#include "loader/map.h"

namespace weir {

// How many entries the maps are made for (loader/map_budget.h); a pinned map that is reused may
// keep its own size.
struct MapSizes {
    std::uint32_t peers = 262'144;
    std::uint32_t prefixes = 65'536;
    std::uint32_t tables = 16'384;
    std::uint32_t rules = 262'144;
    std::uint32_t intervals = 262'144; // of weir_rows
    std::uint32_t flows = 131'072;
    std::uint32_t new_flows = 16'384;    // of weir_crowded_flows as well
    std::uint32_t fragments = 8'192;     // of weir_crowded_fragments as well
    std::uint32_t event_bytes = 1 << 20; // of the ring buffer: a power of two, at least a page

    bool operator==(const MapSizes&) const = default;
};

// What one pod may take of what all share, in a window of a second; beyond it, it is in nobody's
// way but its own.
struct PodShares {
    std::int32_t new_flows = 0;       // unanswered flows opened in weir_new_flows
    std::uint32_t answered_flows = 0; // moved to weir_flows, in 64 of those seconds
    std::uint32_t fragments = 0;      // datagrams of which weir_fragments knows
    std::uint32_t events = 0;         // reported singly, of each kind (enum weir_event_flood)

    // So that what is in use by others outlasts a flood: an unanswered flow 8 seconds, an answered
    // one four minutes, a datagram 4 seconds.
    static constexpr PodShares of(const MapSizes& sizes) {
        return {.new_flows = static_cast<std::int32_t>(sizes.new_flows / 8),
                .answered_flows = sizes.flows / 4,
                .fragments = sizes.fragments / 4,
                .events = 1024};
    }
    // For a Dataplane that serves one caller: everything is reported.
    static constexpr PodShares none() { return {INT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}; }
};

// weir_rows and weir_tables are acquired and released by whoever uses them, after the start: they
// are large, and used for a moment at a time.
struct Maps {
    Map<std::uint32_t, std::uint32_t> endpoints;
    ArrayView<weir_pod> pods;
    Map<weir_address, weir_peer> peers;
    Map<weir_prefix, std::uint32_t> prefixes;
    ArrayView<weir_row> tables;
    Map<weir_rule_key, weir_row> rules;
    ArrayView<weir_interval> rows;
    Map<weir_flow_key, weir_flow> flows;
    Map<weir_flow_key, weir_flow> new_flows;
    Map<weir_fragment_key, weir_fragment> fragments;
    ArrayView<weir_meta> meta; // one element
    // With DataplaneOptions::services.
    std::optional<Map<weir_nat_key, weir_nat>> translations;
    std::optional<Map<weir_nat_key, weir_uplink_nat>> uplink_translations;
};

// One map's size, for metrics and status.
struct MapInfo {
    std::string name;
    std::uint32_t id = 0;
    std::uint32_t max_entries = 0;
    std::uint64_t memory = 0; // bytes the kernel charges for it; 0 if it does not say
};

} // namespace weir
