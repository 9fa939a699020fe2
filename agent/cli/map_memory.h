// SPDX-License-Identifier: Apache-2.0
// The option --map-memory, of every command that makes maps.
#pragma once

#include <cstdint>

namespace CLI {
class App;
}

namespace weir::cli {

// Reads "256MiB", "1GiB" or bytes into the variable, which outlives the command and holds the
// default; refuses what loader/map_budget.h cannot divide.
void add_map_memory(CLI::App& command, std::uint64_t& map_memory);

} // namespace weir::cli
