// SPDX-License-Identifier: Apache-2.0
// Which flows a reader wants. Every given condition must hold.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/flow/flow_record.h"

namespace weir {

// A pod at either end: namespace/name, or a name in any namespace.
struct PodPattern {
    std::string ns;
    std::string name;
};

struct FlowFilter {
    std::vector<PodPattern> pods{}; // any of them; empty: all
    std::string ns{};
    std::optional<FlowVerdict> verdict{};
    std::uint16_t port = 0; // of the destination
    std::optional<std::uint8_t> protocol{};
    std::chrono::system_clock::time_point since{};

    bool matches(const FlowRecord& flow) const;
};

} // namespace weir
