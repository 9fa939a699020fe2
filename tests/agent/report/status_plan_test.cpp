// SPDX-License-Identifier: Apache-2.0
// Which status is written when, in a time of the test's own.
#include "agent/report/status_plan.h"

#include <gmock/gmock.h>

namespace weir {
namespace {

using namespace std::chrono_literals;

StatusWrite write_of(const std::string& version, const std::string& content,
                     std::chrono::seconds delay = 0s) {
    StatusWrite write;
    write.object = {Kind::kHttpRoute, {Symbol("shop"), Symbol("web")}};
    write.version = version;
    write.content = content;
    write.delay = delay;
    return write;
}

class Plan : public testing::Test {
protected:
    // Sends what is due; its content, or "".
    std::string sent(unsigned status) {
        const auto write = plan_.next(now_);
        if (!write) return "";
        plan_.answer(*write, status, now_);
        return write->content;
    }

    StatusPlan::Time now_{1000h};
    StatusPlan plan_;
};

TEST_F(Plan, WritesOnceAndWaitsForTheWatch) {
    plan_.observe({write_of("1", "a")}, now_);
    EXPECT_EQ(sent(200), "a");
    plan_.observe({write_of("1", "a")}, now_);
    EXPECT_EQ(sent(200), "");
    plan_.observe({}, now_); // the watch told of it
    EXPECT_FALSE(plan_.due());
    EXPECT_EQ(plan_.counts().written, 1U);
}

TEST_F(Plan, WhatAnotherNodeWritesFirstIsNotWritten) {
    plan_.observe({write_of("1", "a", 2s)}, now_);
    EXPECT_EQ(sent(200), "");
    now_ += 1s;
    plan_.observe({write_of("1", "a", 2s)}, now_);
    EXPECT_EQ(plan_.due(), now_ + 1s) << "the wait goes on";
    plan_.observe({}, now_);
    now_ += 5s;
    EXPECT_EQ(sent(200), "");
}

TEST_F(Plan, ANewerVersionIsWrittenInstead) {
    plan_.observe({write_of("1", "a")}, now_);
    EXPECT_EQ(sent(409), "a");
    EXPECT_EQ(plan_.counts().outdated, 1U);
    EXPECT_EQ(sent(200), "") << "not before the watch told of it";
    plan_.observe({write_of("2", "a")}, now_);
    EXPECT_EQ(sent(200), "a");
}

TEST_F(Plan, OtherContentDoesNotWait) {
    plan_.observe({write_of("1", "a")}, now_);
    EXPECT_EQ(sent(200), "a");
    plan_.observe({write_of("1", "b")}, now_);
    EXPECT_EQ(sent(200), "b");
}

TEST_F(Plan, WithoutTheApiItIsTriedAgainLater) {
    plan_.observe({write_of("1", "a")}, now_);
    EXPECT_EQ(sent(0), "a");
    EXPECT_EQ(plan_.counts().failed, 1U);
    EXPECT_EQ(sent(200), "");
    now_ = *plan_.due();
    EXPECT_EQ(sent(403), "a");
    EXPECT_GT(*plan_.due(), now_ + 10min) << "one that is refused stays so for a while";
}

} // namespace
} // namespace weir
