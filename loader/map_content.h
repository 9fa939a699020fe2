// SPDX-License-Identifier: Apache-2.0
// What moves when a map gets another size: all of its elements, from the pinned map of an earlier
// agent to the new one, before any program uses that. For maps that only the agent writes, so that
// nothing is missed meanwhile.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "loader/result.h"

namespace weir {

class MapContent {
public:
    // The map must be a hash, an LPM trie or an array, not per CPU.
    static Result<MapContent> read(int fd);
    // Into another map of the same key and value, in which they fit.
    Result<> write(int fd) const;

    std::size_t elements() const { return elements_; }

private:
    std::size_t key_size_ = 0;
    std::size_t value_size_ = 0;
    std::size_t elements_ = 0;
    std::vector<std::byte> keys_;
    std::vector<std::byte> values_;
};

} // namespace weir
