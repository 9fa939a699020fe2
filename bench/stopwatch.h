// SPDX-License-Identifier: Apache-2.0
// Time since it was made.
#pragma once

#include <chrono>

namespace weir::bench {

class Stopwatch {
public:
    double milliseconds() const {
        return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin_)
            .count();
    }

private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

} // namespace weir::bench
