// SPDX-License-Identifier: Apache-2.0
// What the compiler wants written to the maps, in the order in which it must happen, so that every
// packet sees the old or the new revision of the pod that judges it. The loader executes it; so
// does policy/table_image.h, for tests and for `weir verdicts --engine model`.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bpf/abi.h"

namespace weir {

struct RowWrite {
    std::uint32_t offset = 0; // in weir_rows
    std::vector<weir_interval> intervals;
};
struct DefaultRowWrite {
    std::uint32_t table = 0;
    weir_row row{};
};
struct RuleInsert {
    weir_rule_key key{};
    weir_row row{};
};
struct PeerWrite {
    weir_address address{};
    std::uint32_t class_id = 0;
};
struct PrefixWrite {
    weir_prefix prefix{};
    std::uint32_t class_id = 0;
};
// One aligned 8-byte store to weir_pods[slot].rules[direction].
struct Flip {
    std::uint32_t slot = 0;
    weir_direction direction = WEIR_EGRESS;
    std::uint64_t word = 0;
};

// Entries that nothing needs any more. To be erased only after an RCU grace period, because a
// program may still hold an id it read before the flips. Erasing them changes no verdict, in any
// order.
struct Garbage {
    std::vector<weir_rule_key> rules;
    std::vector<weir_address> peers;
    std::vector<weir_prefix> prefixes;

    bool is_empty() const { return rules.empty() && peers.empty() && prefixes.empty(); }
};

struct Transaction {
    // 1. New content that no slot refers to yet.
    std::vector<RowWrite> rows;
    std::vector<DefaultRowWrite> default_rows;
    std::vector<RuleInsert> rules;
    // 2. Addresses that change class: to their class, or to a transition class for which the old
    //    tables hold the old class's row and the new ones the new class's. Peers first: some only
    //    pin an address before the prefix around it changes. Prefixes in the order given (longest
    //    first), for the same reason.
    std::vector<PeerWrite> peers;
    std::vector<PrefixWrite> prefixes;
    // 3. Slots: a new table, or the old one with a new generation.
    std::vector<Flip> flips;
    // 4. From transition classes to the final ones, in any order. What is left over then comes from
    //    Compiler::take_garbage().
    std::vector<PeerWrite> final_peers;
    std::vector<PrefixWrite> final_prefixes;

    std::uint32_t generation = 0; // last one used, for weir_meta
    std::uint32_t rule = 0;       // last rule id given out, for weir_meta

    bool is_empty() const {
        return rows.empty() && default_rows.empty() && rules.empty() && prefixes.empty() &&
               peers.empty() && flips.empty() && final_prefixes.empty() && final_peers.empty();
    }
};

// How many entries the maps hold at most.
struct Limits {
    std::uint32_t peers = 262'144;
    std::uint32_t prefixes = 65'536;
    std::uint32_t tables = 16'384;
    std::uint32_t rules = 262'144;
    std::uint32_t intervals = 262'144; // of weir_rows
};

// How many entries are in use, garbage that waits for its grace period included.
struct Usage {
    std::uint32_t peers = 0;
    std::uint32_t prefixes = 0;
    std::uint32_t tables = 0;
    std::uint32_t rules = 0;
    std::uint32_t intervals = 0;
};

// Why a revision was refused: the old one stays in force.
struct DoesNotFit {
    std::string map; // "weir_rules"
    std::uint32_t needed = 0;
    std::uint32_t limit = 0;
    // "NetworkPolicy shop/web": the one behind most of the new entries, if any is.
    std::string policy;
};

// What the maps of an earlier agent hold, read back at start so that its tables can be replaced
// without a packet seeing anything between them and the new ones.
struct KernelState {
    std::vector<RuleInsert> rules;
    std::vector<DefaultRowWrite> default_rows; // of tables that slots name
    std::vector<PeerWrite> peers;
    std::vector<PrefixWrite> prefixes;
    std::vector<Flip> slots; // every slot in use, both directions
    std::uint32_t generation = 0;
    std::uint32_t rule = 0;
};

} // namespace weir
