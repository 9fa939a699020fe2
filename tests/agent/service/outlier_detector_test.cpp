// SPDX-License-Identifier: Apache-2.0
#include "agent/service/outlier_detector.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace weir {
namespace {

using std::chrono::seconds;

// Backends as the kernel has them; a look's decisions are carried out.
class OutlierDetectorTest : public testing::Test {
protected:
    void add(std::uint32_t count) {
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto id = static_cast<std::uint32_t>(pool_.size() + 1);
            pool_.push_back({.id = id, .generation = id, .failures = 0, .is_ejected = false});
        }
    }
    OutlierDetector::Backend& backend(std::uint32_t id) { return pool_.at(id - 1); }
    void fail(std::uint32_t id, std::uint32_t times) { backend(id).failures += times; }

    void look_after(seconds time) {
        now_ += time;
        for (const auto& decision : detector_.look(settings_, pool_, now_)) {
            backend(decision.id).is_ejected = decision.is_ejected;
            backend(decision.id).failures = decision.failures;
        }
    }
    // How long the backend stays out, from now, to the second.
    int seconds_out(std::uint32_t id) {
        int time = 0;
        while (backend(id).is_ejected && time < 10'000) {
            look_after(seconds{1});
            ++time;
        }
        return time;
    }

    DestinationRule::Outliers settings_{
        .consecutive = 3, .ejection_ms = 10'000, .interval_ms = 60'000, .most_percent = 50};
    std::vector<OutlierDetector::Backend> pool_;
    OutlierDetector detector_;
    OutlierDetector::Clock::time_point now_{};
};

TEST_F(OutlierDetectorTest, SoManyFailuresInARowEject) {
    add(4);
    fail(1, 2);
    look_after(seconds{1});
    EXPECT_FALSE(backend(1).is_ejected);
    fail(1, 1);
    look_after(seconds{1});
    EXPECT_TRUE(backend(1).is_ejected);
    EXPECT_EQ(seconds_out(1), 10);
}

TEST_F(OutlierDetectorTest, OnTrialTheFirstFailureEjectsAgainAndForLonger) {
    add(4);
    fail(1, 3);
    look_after(seconds{1});
    EXPECT_EQ(seconds_out(1), 10);
    fail(1, 1);
    look_after(seconds{1});
    EXPECT_EQ(seconds_out(1), 20);
    fail(1, 1);
    look_after(seconds{1});
    EXPECT_EQ(seconds_out(1), 30);
}

TEST_F(OutlierDetectorTest, NoEjectionLastsLongerThanFiveMinutes) {
    add(2);
    fail(1, 3);
    look_after(seconds{1});
    int longest = 0;
    for (int i = 0; i < 40; ++i) {
        longest = std::max(longest, seconds_out(1));
        fail(1, 1);
        look_after(seconds{1});
    }
    EXPECT_EQ(longest, 300);
}

TEST_F(OutlierDetectorTest, ARuleMayAskForLonger) {
    add(2);
    settings_.ejection_ms = 400'000;
    fail(1, 3);
    look_after(seconds{1});
    EXPECT_EQ(seconds_out(1), 400);
    fail(1, 1);
    look_after(seconds{1});
    EXPECT_EQ(seconds_out(1), 400);
}

TEST_F(OutlierDetectorTest, GoodTimesAreRemembered) {
    add(4);
    fail(1, 3);
    look_after(seconds{1});
    seconds_out(1);
    fail(1, 1);
    look_after(seconds{1});
    seconds_out(1);
    backend(1).failures = 0; // a handshake succeeded
    look_after(seconds{60});
    fail(1, 3);
    look_after(seconds{1});
    EXPECT_EQ(seconds_out(1), 20) << "one of two ejections is forgiven";
}

TEST_F(OutlierDetectorTest, SoManyAtATime) {
    struct Case {
        std::uint32_t backends;
        std::uint8_t most_percent;
        int ejected;
    };
    for (const auto& [backends, most_percent, ejected] :
         {Case{4, 50, 2}, Case{4, 10, 1}, Case{4, 0, 0}, Case{3, 100, 3}, Case{1, 10, 1}}) {
        pool_.clear();
        detector_ = {};
        add(backends);
        settings_.most_percent = most_percent;
        for (auto& one : pool_)
            one.failures = 5;
        look_after(seconds{1});
        EXPECT_EQ(std::ranges::count(pool_, true, &OutlierDetector::Backend::is_ejected), ejected)
            << most_percent << " percent of " << backends;
    }
}

TEST_F(OutlierDetectorTest, WhatAnEarlierAgentEjectedReturns) {
    add(2);
    backend(1).is_ejected = true;
    look_after(seconds{1});
    EXPECT_EQ(seconds_out(1), 10);
}

TEST_F(OutlierDetectorTest, AnIdThatIsUsedAgainBeginsAnew) {
    add(4);
    fail(1, 3);
    look_after(seconds{1});
    seconds_out(1);
    ++backend(1).generation;
    fail(1, 1);
    look_after(seconds{1});
    EXPECT_EQ(seconds_out(1), 10);
}

TEST_F(OutlierDetectorTest, WhoIsGoneIsForgotten) {
    add(2);
    fail(1, 3);
    look_after(seconds{1});
    detector_.forget_unseen();
    EXPECT_NE(detector_.find(1), nullptr);
    detector_.forget_unseen();
    EXPECT_EQ(detector_.find(1), nullptr);
}

} // namespace
} // namespace weir
