// SPDX-License-Identifier: Apache-2.0
// Asks the maps what the programs would: the way of a first packet from the slot to its verdict,
// with every step kept. For explain, which compares it with what the compiler says.
#pragma once

#include <cstdint>

#include "bpf/abi.h"
#include "loader/maps.h"
#include "loader/result.h"

namespace weir {

struct PolicyLookup {
    enum class ClassFrom { kNone, kPeers, kPrefixes };

    std::uint32_t class_id = WEIR_CLASS_NONE;
    ClassFrom class_from = ClassFrom::kNone;
    std::uint32_t table = WEIR_TABLE_NONE;
    bool is_default_row = false; // from weir_tables, not from weir_rules
    weir_row row{};
    std::uint32_t interval = 0;  // index in weir_rows
    std::uint32_t first_key = 0; // WEIR_PORT_KEYs that the interval is for, both included
    std::uint32_t last_key = 0;
    std::uint32_t verdict = 0;                // as in struct weir_interval
    weir_drop_reason reason = WEIR_DROP_NONE; // the way ends before a verdict
};

// peer: of the slot's pod in the direction. port_key: WEIR_PORT_KEY, or WEIR_PORT_KEY_OTHER. Fails
// when a map cannot be read or there is no such slot.
Result<PolicyLookup> look_up_policy(const Maps& maps, std::uint32_t slot, weir_direction direction,
                                    const weir_address& peer, std::uint32_t port_key);

} // namespace weir
