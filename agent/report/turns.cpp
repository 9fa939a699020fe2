// SPDX-License-Identifier: Apache-2.0
#include "agent/report/turns.h"

#include <algorithm>
#include <utility>

#include "agent/report/stable_hash.h"

namespace weir {
namespace {

constexpr std::uint64_t kLongestJitter = 2000; // milliseconds
constexpr std::chrono::seconds kFirstTurn{5};
constexpr std::size_t kMostTurns = 55; // a second each

} // namespace

Turns::Turns(const std::string& node, std::vector<std::string> nodes) : node_(node) {
    nodes.push_back(node);
    std::ranges::sort(nodes);
    const auto same = std::ranges::unique(nodes);
    nodes.erase(same.begin(), same.end());
    place_ = static_cast<std::size_t>(std::ranges::find(nodes, node) - nodes.begin());
    size_ = nodes.size();
}

std::size_t Turns::before(const std::string& uid) const {
    const auto first = static_cast<std::size_t>(stable_hash(uid) % size_);
    return (place_ + size_ - first) % size_;
}

Turns::Duration Turns::spread(const std::string& uid) const {
    const std::size_t turn = before(uid);
    if (turn == 0) return jitter(uid);
    return jitter(uid) + kFirstTurn + std::chrono::seconds(std::min(turn, kMostTurns));
}

Turns::Duration Turns::jitter(const std::string& text) const {
    return std::chrono::milliseconds(stable_hash(node_ + "/" + text) % kLongestJitter);
}

} // namespace weir
