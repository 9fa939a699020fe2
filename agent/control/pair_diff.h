// SPDX-License-Identifier: Apache-2.0
// Which pairs of pods, on which ports, two states of the cluster judge differently. Pods that
// policy cannot tell apart are judged once; ports are cut where any rule that is involved begins or
// ends.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/control/world.h"

namespace weir {

// The name of the group of all addresses that no policy in question names.
inline constexpr const char* kOtherName = "other addresses";

// Pods that policy treats alike in both states, a node, or addresses outside.
struct PairGroup {
    std::string name; // "shop/web", "node/n1", "10.0.0.0/8", "other addresses"
    std::vector<ObjectName> pods{};
    std::vector<std::string> also{}; // names of other groups that fare alike; pods has theirs too

    bool operator==(const PairGroup&) const = default;
};

// First and last WEIR_PORT_KEY of ports that are treated alike; one of key 0 stands for all
// protocols without ports.
struct KeySpan {
    std::uint32_t first = 0;
    std::uint32_t last = 0;

    bool operator==(const KeySpan&) const = default;
};

struct PairDifference {
    PairGroup source;
    PairGroup destination;
    bool is_v4 = true;
    bool is_both_families = false;
    WorldVerdict before;
    WorldVerdict after;
    std::vector<KeySpan> ports;
};

struct PairReport {
    std::vector<PairDifference> differences; // by source and destination
    std::size_t pairs_compared = 0;
    std::string incomplete; // what was left out, and why; empty when nothing was
};

// changes: the objects in which the two worlds differ. Prepares pods in both. Fails when a state
// does not compile.
Result<PairReport> compare_pairs(World& before, World& after,
                                 const std::vector<ObjectKey>& changes);

// "TCP 80, 443; UDP any port", in few words.
std::vector<std::string> port_texts(const std::vector<KeySpan>& ports);

} // namespace weir
