// SPDX-License-Identifier: Apache-2.0
#include "policy/maglev.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace weir {
namespace {

constexpr std::uint32_t kPositionsPerBackend = 100;
// The largest primes below powers of two.
constexpr std::array<std::uint32_t, 10> kSizes = {251,  509,    1021,   2039,   4093,
                                                  8191, 16'381, 32'749, 65'521, 131'071};

constexpr std::uint64_t kOffsetSeed = 0xcbf29ce484222325ULL; // FNV-1a's own
constexpr std::uint64_t kSkipSeed = 0x9ae16a3b2f90404fULL;

// FNV-1a with the finalizer of MurmurHash3, fixed for ever: tables of different versions of Weir
// must agree while a cluster is upgraded.
std::uint64_t hash(const std::string& text, std::uint64_t seed) {
    std::uint64_t value = seed;
    for (const char c : text) {
        value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    value = (value ^ (value >> 33)) * 0xff51afd7ed558ccdULL;
    value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return value ^ (value >> 33);
}

struct Turn {
    std::uint32_t backend = 0;
    std::uint32_t next = 0; // position in its permutation, as a place in the table
    std::uint32_t skip = 0;
    std::uint64_t credit = 0; // weight saved up; a turn costs the largest weight
    std::uint64_t weight = 0;
};

std::vector<Turn> turns_of(std::span<const MaglevBackend> backends, std::uint32_t size) {
    std::vector<std::uint32_t> order;
    for (std::uint32_t i = 0; i < backends.size(); ++i) {
        if (backends[i].weight != 0) {
            order.push_back(i);
        }
    }
    std::ranges::sort(order, {},
                      [&](std::uint32_t i) -> const std::string& { return backends[i].name; });
    std::vector<Turn> turns;
    turns.reserve(order.size());
    for (const auto i : order) {
        const auto& name = backends[i].name;
        turns.push_back({i, static_cast<std::uint32_t>(hash(name, kOffsetSeed) % size),
                         static_cast<std::uint32_t>(hash(name, kSkipSeed) % (size - 1) + 1), 0,
                         backends[i].weight});
    }
    return turns;
}

} // namespace

std::uint32_t maglev_size(std::size_t backends) {
    const auto fits = [&](std::uint32_t size) { return size >= backends * kPositionsPerBackend; };
    const auto* size = std::ranges::find_if(kSizes, fits);
    return size == kSizes.end() ? kSizes.back() : *size;
}

std::vector<std::uint32_t> maglev_table(std::span<const MaglevBackend> backends) {
    constexpr auto free_position = UINT32_MAX;
    const auto size = maglev_size(backends.size());
    auto turns = turns_of(backends, size);
    if (turns.empty()) {
        return {};
    }
    const auto price = std::ranges::max_element(turns, {}, &Turn::weight)->weight;
    std::vector<std::uint32_t> table(size, free_position);
    std::uint32_t filled = 0;
    while (true) {
        for (auto& turn : turns) {
            turn.credit += turn.weight;
            if (turn.credit < price) {
                continue;
            }
            turn.credit -= price;
            while (table[turn.next] != free_position) {
                turn.next = (turn.next + turn.skip) % size;
            }
            table[turn.next] = turn.backend;
            if (++filled == size) {
                return table;
            }
        }
    }
}

} // namespace weir
