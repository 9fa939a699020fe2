// SPDX-License-Identifier: Apache-2.0
// Weights as numbers of slots: a slot is drawn at random, so an endpoint's share of the new
// connections is its share of the slots.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace weir {

// A group of endpoints among which a weight is split evenly.
struct WeightedGroup {
    std::uint32_t weight = 1;
    std::uint32_t endpoints = 0;
};

// At most this many slots, beside one for each endpoint.
inline constexpr std::uint32_t kMostSlots = 16'384;

// For each group, the slots of each of its endpoints; 0 for weight 0 and for groups without
// endpoints. Every group's share of all slots is within 0.4 % of its share of the weights of groups
// with endpoints (relative), if kMostSlots allow: then with the fewest slots that do, exact when
// few enough are.
std::vector<std::uint32_t> slots_per_endpoint(std::span<const WeightedGroup> groups);

// An order of the slots in which each member's are spread evenly: a slot that is not usable walks
// on, and the load is then not one neighbour's. slots[i]: of member i. Returns members.
std::vector<std::uint32_t> spread_slots(std::span<const std::uint32_t> slots);

} // namespace weir
