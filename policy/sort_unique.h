// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <functional>

namespace weir {

// Makes a sorted set of a vector: in order, and each value once.
template <typename Values, typename Less = std::less<>>
void sort_unique(Values& values, Less less = {}) {
    std::sort(values.begin(), values.end(), less);
    values.erase(std::unique(values.begin(), values.end()), values.end());
}

} // namespace weir
