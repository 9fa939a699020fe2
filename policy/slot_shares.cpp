// SPDX-License-Identifier: Apache-2.0
#include "policy/slot_shares.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

namespace weir {
namespace {

constexpr double kTolerance = 0.004;

struct Attempt {
    std::vector<std::uint32_t> slots; // of each endpoint, by group
    std::uint64_t total = 0;
    double error = std::numeric_limits<double>::infinity(); // the largest, relative
};

// Weights per endpoint as multiples of the smallest one, times `scale`, rounded.
Attempt attempt(std::span<const WeightedGroup> groups, double smallest, double scale,
                double weights) {
    Attempt result;
    for (const auto& group : groups) {
        const bool counts = group.weight != 0 && group.endpoints != 0;
        const double each = counts ? group.weight / double(group.endpoints) / smallest : 0;
        result.slots.push_back(static_cast<std::uint32_t>(std::llround(each * scale)));
        result.total += std::uint64_t{result.slots.back()} * group.endpoints;
    }
    result.error = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        if (result.slots[i] == 0) {
            continue;
        }
        const double share = double(result.slots[i]) * groups[i].endpoints / double(result.total);
        result.error = std::max(result.error, std::abs(share * weights / groups[i].weight - 1));
    }
    return result;
}

} // namespace

std::vector<std::uint32_t> slots_per_endpoint(std::span<const WeightedGroup> groups) {
    double smallest = std::numeric_limits<double>::infinity();
    double weights = 0;
    std::uint64_t endpoints = 0;
    for (const auto& group : groups) {
        if (group.weight == 0 || group.endpoints == 0) {
            continue;
        }
        smallest = std::min(smallest, group.weight / double(group.endpoints));
        weights += group.weight;
        endpoints += group.endpoints;
    }
    if (weights == 0) {
        return std::vector<std::uint32_t>(groups.size(), 0);
    }
    Attempt best = attempt(groups, smallest, 1, weights);
    for (double scale = 2; best.error > kTolerance; ++scale) {
        Attempt next = attempt(groups, smallest, scale, weights);
        if (next.total > std::max<std::uint64_t>(kMostSlots, endpoints)) {
            break;
        }
        if (next.error < best.error) {
            best = std::move(next);
        }
    }
    // A weight of a millionth beside another takes more slots than there may be: the small one
    // keeps a slot, the others get what is left in proportion.
    if (best.total > std::max<std::uint64_t>(kMostSlots, endpoints)) {
        const double scale = double(kMostSlots) / double(best.total);
        for (auto& slots : best.slots) {
            slots = slots == 0 ? 0 : std::max(1U, static_cast<std::uint32_t>(slots * scale));
        }
    }
    const auto divisor =
        std::accumulate(best.slots.begin(), best.slots.end(), 0U,
                        [](std::uint32_t a, std::uint32_t b) { return std::gcd(a, b); });
    for (auto& slots : best.slots) {
        slots /= divisor;
    }
    return best.slots;
}

std::vector<std::uint32_t> spread_slots(std::span<const std::uint32_t> slots) {
    struct Spot {
        double at;
        std::uint32_t member;
    };
    std::vector<Spot> spots;
    for (std::uint32_t member = 0; member < slots.size(); ++member) {
        for (std::uint32_t i = 0; i < slots[member]; ++i) {
            spots.push_back({(i + 0.5) / slots[member], member});
        }
    }
    std::ranges::stable_sort(spots, {}, &Spot::at);
    std::vector<std::uint32_t> members;
    members.reserve(spots.size());
    for (const auto& spot : spots) {
        members.push_back(spot.member);
    }
    return members;
}

} // namespace weir
