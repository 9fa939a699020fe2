// SPDX-License-Identifier: Apache-2.0
// A hash that is the same on every node and in every version: what nodes agree on without talking.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

// FNV-1a in 64 bits, with a final mix so that the low bits of similar texts differ.
constexpr std::uint64_t stable_hash(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3;
    }
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93;
    return hash ^ (hash >> 32);
}

} // namespace weir
