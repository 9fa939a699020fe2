// SPDX-License-Identifier: Apache-2.0
// Which node tells of an object that all nodes see alike. They agree without talking: the nodes
// stand in a circle, and each object begins at another one.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace weir {

class Turns {
public:
    using Duration = std::chrono::steady_clock::duration;

    // nodes: all of the cluster in any order; the own one is added when it is not among them.
    Turns(const std::string& node, std::vector<std::string> nodes);

    // How many nodes come before this one for the object of that uid.
    std::size_t before(const std::string& uid) const;
    // How long this node waits with what all nodes may tell of the object: the first one hardly,
    // the others spread over a minute, and most of them find that it is told.
    Duration spread(const std::string& uid) const;
    // Up to two seconds, another one for each node and text.
    Duration jitter(const std::string& text) const;

private:
    std::string node_;
    std::size_t place_ = 0; // in the circle
    std::size_t size_ = 1;
};

} // namespace weir
