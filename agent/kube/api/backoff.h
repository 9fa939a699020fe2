// SPDX-License-Identifier: Apache-2.0
// Waits that double and are never alike, so that a cluster's nodes do not come back as one.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace weir {

class Backoff {
public:
    using Duration = std::chrono::steady_clock::duration;

    Backoff(Duration first, Duration longest) : first_(first), longest_(longest), next_(first) {}

    // Half to one and a half of a wait that doubles up to the longest.
    Duration next() {
        const Duration wait = jittered(next_);
        next_ = std::min(next_ * 2, longest_);
        return wait;
    }
    Duration jittered(Duration wait) {
        return std::chrono::duration_cast<Duration>(wait * jitter_(random_));
    }
    void reset() { next_ = first_; }

private:
    Duration first_;
    Duration longest_;
    Duration next_;
    std::minstd_rand random_{std::random_device{}()};
    std::uniform_real_distribution<double> jitter_{0.5, 1.5};
};

} // namespace weir
