// SPDX-License-Identifier: Apache-2.0
// Paints one row: from the rules that match a peer, stage by stage, to the verdict at every port.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "bpf/abi.h"
#include "policy/key_range.h"
#include "policy/rule_list.h"

namespace weir {

class RowPainter {
public:
    explicit RowPainter(const EffectiveRules& effective) : effective_(effective) {}

    // The rule at that place matches in the range. In any order.
    void claim(std::uint32_t place, const KeyRange& range) {
        claims_[static_cast<std::size_t>(effective_.rules[place].stage)].push_back({range, place});
    }
    // Sorted by start, the first one at 0, neighbours different.
    std::vector<weir_interval> row() const;

private:
    struct Claim {
        KeyRange range;
        std::uint32_t place = 0;
    };
    // The first matching rule from `start` on.
    struct Step {
        std::uint32_t start = 0;
        std::uint32_t place = 0;
    };
    using Layer = std::vector<Step>;
    static constexpr std::size_t kStages = 5;
    using Places = std::array<std::uint32_t, kStages>;

    Layer layer(std::size_t stage, Evaluation evaluation) const;
    std::vector<weir_interval> paint(Evaluation evaluation) const;
    std::uint32_t verdict(const Places& places, bool is_tcp, Evaluation evaluation) const;

    const EffectiveRules& effective_;
    std::array<std::vector<Claim>, kStages> claims_;
};

} // namespace weir
