// SPDX-License-Identifier: Apache-2.0
// So many at once, and one more after each while.
#pragma once

#include <chrono>
#include <cstdint>

namespace weir {

class TokenBucket {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    // Full at first.
    TokenBucket(std::uint32_t most, Duration refill)
        : most_(most), refill_(refill), tokens_(most) {}

    bool take(Time now) {
        const std::int64_t filled = gained(now);
        if (tokens_ + filled >= most_) {
            tokens_ = most_;
            last_ = now;
        } else {
            tokens_ += static_cast<std::uint32_t>(filled);
            last_ += refill_ * filled;
        }
        if (tokens_ == 0) return false;
        --tokens_;
        return true;
    }
    bool is_full(Time now) const { return tokens_ + gained(now) >= most_; }
    // When there is one, if none is taken until then.
    Time next(Time now) const { return tokens_ + gained(now) > 0 ? now : last_ + refill_; }

private:
    std::int64_t gained(Time now) const { return now < last_ ? 0 : (now - last_) / refill_; }

    std::uint32_t most_;
    Duration refill_;
    std::uint32_t tokens_;
    Time last_{}; // when the last one came
};

} // namespace weir
