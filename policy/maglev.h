// SPDX-License-Identifier: Apache-2.0
// The lookup table of "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016),
// 3.4: every node builds the same one, and a backend that comes or goes moves few of the others'
// connections.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir {

struct MaglevBackend {
    std::string name; // "address:port/protocol": its place in the table depends on nothing else
    std::uint32_t weight = 1;
};

// A prime of at least 100 positions a backend, up to 131,071: then shares differ by a percent.
std::uint32_t maglev_size(std::size_t backends);

// The backend at each position, as an index into `backends`, whose order does not matter. Empty
// when no backend has a weight. Shares follow the weights.
std::vector<std::uint32_t> maglev_table(std::span<const MaglevBackend> backends);

} // namespace weir
