// SPDX-License-Identifier: Apache-2.0
// Step by step what bpf/policy.h does.
#include "loader/lookup.h"

#include <cstring>

namespace weir {
namespace {

Result<> find_class(const Maps& maps, const weir_address& peer, PolicyLookup& way) {
    const auto exact = maps.peers.lookup(peer);
    if (!exact) return std::unexpected(exact.error());
    if (*exact) {
        way.class_id = (*exact)->class_id;
        way.class_from = PolicyLookup::ClassFrom::kPeers;
        return {};
    }
    weir_prefix prefix{};
    prefix.prefix_length = 128;
    std::memcpy(&prefix.address, &peer, sizeof(prefix.address));
    const auto longest = maps.prefixes.lookup(prefix);
    if (!longest) return std::unexpected(longest.error());
    if (!*longest) return {};
    way.class_id = **longest;
    way.class_from = PolicyLookup::ClassFrom::kPrefixes;
    return {};
}

Result<> find_row(const Maps& maps, PolicyLookup& way) {
    for (const auto class_id : {way.class_id, WEIR_CLASS_PARENT(way.class_id)}) {
        const auto row = maps.rules.lookup({.table = way.table, .class_id = class_id});
        if (!row) return std::unexpected(row.error());
        if (*row) {
            way.row = **row;
            return {};
        }
    }
    way.is_default_row = true;
    if (way.table < maps.tables.size()) way.row = maps.tables[way.table];
    return {};
}

// The last interval of the row that starts at or before the port.
void search(const Maps& maps, std::uint32_t port_key, PolicyLookup& way) {
    const std::uint64_t end = std::uint64_t{way.row.offset} + way.row.count;
    if (way.row.count == 0 || end > maps.rows.size()) {
        way.reason = WEIR_DROP_DANGLING_ID;
        return;
    }
    std::uint32_t low = 0;
    std::uint32_t high = way.row.count;
    while (high - low > 1) {
        const std::uint32_t middle = low + (high - low) / 2;
        (maps.rows[way.row.offset + middle].start <= port_key ? low : high) = middle;
    }
    way.interval = way.row.offset + low;
    way.first_key = maps.rows[way.interval].start;
    way.last_key = high == way.row.count ? UINT32_MAX : maps.rows[way.interval + 1].start - 1;
    way.verdict = maps.rows[way.interval].verdict;
}

} // namespace

Result<PolicyLookup> look_up_policy(const Maps& maps, std::uint32_t slot, weir_direction direction,
                                    const weir_address& peer, std::uint32_t port_key) {
    if (slot >= maps.pods.size()) return failure("no slot " + std::to_string(slot));
    auto acquired = maps.rows.acquire();
    if (acquired) acquired = maps.tables.acquire();
    if (!acquired) return std::unexpected(std::move(acquired.error()));
    PolicyLookup way;
    way.table =
        WEIR_RULES_TABLE(__atomic_load_n(&maps.pods[slot].rules[direction], __ATOMIC_ACQUIRE));
    if (auto found = find_class(maps, peer, way); !found) return std::unexpected(found.error());
    if (auto found = find_row(maps, way); !found) return std::unexpected(found.error());
    search(maps, port_key, way);
    maps.rows.release();
    maps.tables.release();
    return way;
}

} // namespace weir
