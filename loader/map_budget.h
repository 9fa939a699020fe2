// SPDX-License-Identifier: Apache-2.0
// One memory budget for all maps: from bytes to sizes, and from sizes to the bytes that they take
// at most. Pure.
//
// Every map keeps its ratio to the others, that of MapSizes{}. When all are full, weir_peers takes
// 27 %, weir_rules and weir_flows 25 % each, weir_prefixes 9 %, the other flows and fragments 8 %,
// weir_rows, weir_tables and weir_events 3 %, what does not grow with the budget (pods, counters)
// 2 %.
#pragma once

#include <cstdint>

#include "loader/maps.h"

namespace weir {

inline constexpr std::uint64_t kDefaultMapMemory = std::uint64_t{96} << 20; // of MapSizes{}
inline constexpr std::uint64_t kLeastMapMemory = std::uint64_t{16} << 20;
inline constexpr std::uint64_t kMostMapMemory = std::uint64_t{4} << 30;

// Bytes of kernel memory that maps of these sizes take when all of them are full, and those whose
// size is fixed.
std::uint64_t map_memory(const MapSizes& sizes);

// The largest sizes whose map_memory() is within the budget.
// Precondition: kLeastMapMemory <= budget <= kMostMapMemory.
MapSizes sizes_for(std::uint64_t budget);

} // namespace weir
