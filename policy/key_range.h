// SPDX-License-Identifier: Apache-2.0
// Sets of positions in a row, as sorted ranges that neither overlap nor touch.
#pragma once

#include <cstdint>
#include <vector>

#include "bpf/abi.h"

namespace weir {

// Positions of a row, both ends included (WEIR_PORT_KEY).
struct KeyRange {
    std::uint32_t first = 0;
    std::uint32_t last = 0xffffffff;

    bool operator==(const KeyRange&) const = default;
};
using KeyRanges = std::vector<KeyRange>;

// The set of what any of the ranges holds.
KeyRanges merged(KeyRanges ranges);
// What both sets hold; what the first holds and the second does not.
KeyRanges intersection(const KeyRanges& a, const KeyRanges& b);
KeyRanges difference(const KeyRanges& a, const KeyRanges& b);

KeyRange ports_of(std::uint8_t protocol, std::uint16_t first, std::uint16_t last);

} // namespace weir
