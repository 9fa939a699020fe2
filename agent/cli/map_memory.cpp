// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/map_memory.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>

#include "loader/map_budget.h"

namespace weir::cli {
namespace {

// Runs after the unit is resolved.
std::string refuse_out_of_range(const std::string& bytes) {
    std::uint64_t value = 0;
    const auto read = std::from_chars(bytes.data(), bytes.data() + bytes.size(), value);
    if (read.ec == std::errc() && value >= kLeastMapMemory && value <= kMostMapMemory) return {};
    return fmt::format("{} bytes: the maps take at least {}MiB, and at most {}GiB are divided",
                       bytes, kLeastMapMemory >> 20, kMostMapMemory >> 30);
}

} // namespace

void add_map_memory(CLI::App& command, std::uint64_t& map_memory) {
    command
        .add_option("--map-memory", map_memory,
                    fmt::format("Kernel memory that all maps may take when they are full, {}MiB to "
                                "{}GiB",
                                kLeastMapMemory >> 20, kMostMapMemory >> 30))
        ->envname("WEIR_MAP_MEMORY")
        ->type_name("SIZE")
        ->default_str(fmt::format("{}MiB", kDefaultMapMemory >> 20))
        ->check(CLI::Validator(refuse_out_of_range, ""))
        ->transform(CLI::AsSizeValue(false).description(""));
}

} // namespace weir::cli
