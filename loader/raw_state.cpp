// SPDX-License-Identifier: Apache-2.0
#include "loader/raw_state.h"

#include <set>

namespace weir {
namespace {

void read_slots(const Maps& maps, RawState& state) {
    for (std::uint32_t slot = 0; slot < maps.pods.size(); ++slot) {
        const weir_pod& pod = maps.pods[slot];
        if (pod.ifindex != 0) state.slots.push_back({slot, pod});
    }
}

void read_default_rows(const Maps& maps, RawState& state) {
    std::set<std::uint32_t> tables;
    for (const auto& [_, pod] : state.slots)
        for (const auto word : pod.rules)
            tables.insert(WEIR_RULES_TABLE(word));
    for (const std::uint32_t table : tables)
        if (table >= WEIR_TABLE_FIRST && table < maps.tables.size())
            state.default_rows.emplace_back(table, maps.tables[table]);
}

} // namespace

Result<RawState> read_raw_state(const Maps& maps) {
    if (auto acquired = maps.tables.acquire(); !acquired)
        return std::unexpected(std::move(acquired.error()));
    RawState state;
    state.meta = maps.meta[0];
    read_slots(maps, state);
    read_default_rows(maps, state);
    const auto keep = [](auto& list) {
        return [&list](const auto& key, const auto& value) { list.emplace_back(key, value); };
    };
    auto read = maps.rules.for_each(keep(state.rules));
    if (read) read = maps.prefixes.for_each(keep(state.prefixes));
    if (read) read = maps.endpoints.for_each(keep(state.endpoints));
    if (read)
        read = maps.peers.for_each([&](const weir_address& address, const weir_peer& peer) {
            state.peers.emplace_back(address, peer.class_id);
        });
    if (!read) return std::unexpected(std::move(read.error()));
    return state;
}

} // namespace weir
