// SPDX-License-Identifier: Apache-2.0
// When which Event is written, in a time of the test's own.
#include "agent/report/event_log.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/agent/report/report_support.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using test::finding;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// An API server that knows Events by their notes.
class Events : public testing::Test {
protected:
    struct Event {
        std::string instance;
        std::uint32_t count = 1;
    };

    void observe(const std::vector<Finding>& findings) { log_.observe(findings, now_); }

    // Everything that is due is sent and answered: "create a", "read a", "repeat a 2".
    std::vector<std::string> sent() {
        std::vector<std::string> words;
        while (const auto call = log_.next(now_))
            words.push_back(answer(*call));
        return words;
    }

    std::string answer(const EventCall& call) {
        const std::string& note = call.finding.note;
        const auto found = events_.find(note);
        const bool is_there = found != events_.end();
        const auto reply = [&](unsigned status, const EventRecord& record = {}) {
            log_.answer(call, is_away_ ? 0 : status, record, now_);
        };
        switch (call.verb) {
            case EventCall::Verb::kCreate:
                reply(is_there ? 409 : 201);
                if (!is_there && !is_away_) events_[note] = {.instance = "n1", .count = 1};
                return "create " + note;
            case EventCall::Verb::kRead:
                reply(is_there ? 200 : 404,
                      is_there ? EventRecord{found->second.instance, found->second.count}
                               : EventRecord{});
                return "read " + note;
            case EventCall::Verb::kRepeat:
                reply(is_there ? 200 : 404);
                if (is_there) found->second.count = call.count;
                return fmt::format("repeat {} {}", note, call.count);
        }
        return "";
    }

    EventLog::Time now_{1000h};
    EventLog log_{"n1"};
    std::map<std::string, Event> events_; // by note
    bool is_away_ = false;
};

TEST_F(Events, AFindingIsToldOnce) {
    observe({finding("a")});
    EXPECT_THAT(sent(), ElementsAre("create a"));
    observe({finding("a")});
    EXPECT_THAT(sent(), IsEmpty());
    EXPECT_EQ(log_.counts().created, 1U);
}

TEST_F(Events, OneThatComesAgainIsTheSameEventWithASeries) {
    observe({finding("a")});
    EXPECT_THAT(sent(), ElementsAre("create a"));
    observe({});
    now_ += 1min;
    observe({finding("a")});
    EXPECT_THAT(sent(), ElementsAre("repeat a 2"));
    EXPECT_THAT(events_, SizeIs(1));
    EXPECT_EQ(log_.counts().repeated, 1U);
}

TEST_F(Events, OneThatHoldsIsToldAgainBeforeTheApiForgetsIt) {
    observe({finding("a")});
    sent();
    ASSERT_TRUE(log_.due());
    now_ = *log_.due();
    EXPECT_THAT(sent(), ElementsAre("repeat a 2"));
    events_.clear(); // forgotten all the same
    now_ = *log_.due();
    EXPECT_THAT(sent(), ElementsAre("repeat a 3", "create a"));
}

TEST_F(Events, AnotherNodesIsLeftToIt) {
    events_["a"] = {.instance = "n2", .count = 4};
    observe({finding("a")});
    EXPECT_THAT(sent(), ElementsAre("create a", "read a"));
    EXPECT_EQ(events_["a"].count, 4U);
    EXPECT_EQ(log_.counts().shared, 1U);
    observe({});
    observe({finding("a")});
    EXPECT_THAT(sent(), ElementsAre("create a", "read a")) << "it may be gone: that is seen so";
    events_.clear(); // with its node
    now_ = *log_.due();
    EXPECT_THAT(sent(), ElementsAre("create a"));
}

TEST_F(Events, AnAgentThatStartsAnewGoesOnWithItsSeries) {
    events_["a"] = {.instance = "n1", .count = 4};
    observe({finding("a")});
    EXPECT_THAT(sent(), ElementsAre("create a", "read a", "repeat a 5"));
}

TEST_F(Events, WaitsItsTurnAndSaysNothingOfWhatIsMendedMeanwhile) {
    Finding late = finding("a");
    late.delay = 10s;
    observe({late});
    EXPECT_THAT(sent(), IsEmpty());
    EXPECT_EQ(log_.due(), now_ + 10s);
    observe({});
    now_ += 20s;
    EXPECT_THAT(sent(), IsEmpty());
    EXPECT_FALSE(log_.due());
}

TEST_F(Events, WithoutTheApiTheyAreCountedAndToldLater) {
    is_away_ = true;
    observe({finding("a"), finding("b")});
    EXPECT_THAT(sent(), ElementsAre(testing::_, testing::_));
    EXPECT_EQ(log_.counts().dropped[EventCounts::kApiAway], 2U);
    EXPECT_THAT(sent(), IsEmpty()) << "not at once";
    is_away_ = false;
    now_ = *log_.due();
    EXPECT_THAT(sent(), SizeIs(2));
    EXPECT_EQ(log_.counts().created, 2U);
}

TEST_F(Events, WhatHappenedWhileTheApiWasAwayIsCountedOnly) {
    is_away_ = true;
    log_.occur(finding("a"), now_);
    EXPECT_THAT(sent(), ElementsAre("create a"));
    is_away_ = false;
    EXPECT_FALSE(log_.due());
    EXPECT_EQ(log_.counts().dropped[EventCounts::kApiAway], 1U);
}

TEST_F(Events, OccurrencesAreGatheredIntoOneSeries) {
    log_.occur(finding("a"), now_);
    EXPECT_THAT(sent(), ElementsAre("create a"));
    for (int i = 0; i < 3; ++i)
        log_.occur(finding("a"), now_);
    EXPECT_THAT(sent(), IsEmpty());
    now_ = *log_.due();
    EXPECT_THAT(sent(), ElementsAre("repeat a 4"));
    EXPECT_FALSE(log_.due()) << "what happened once is not told again";
}

TEST_F(Events, AnObjectHasItsShare) {
    std::vector<Finding> many;
    for (int i = 0; i < 25; ++i)
        many.push_back(finding(std::to_string(i)));
    many.push_back(finding("other", "99999999-2222-3333-4444-555555555555"));
    observe(many);
    EXPECT_THAT(sent(), SizeIs(EventLog::kBurstOfObject + 1));
    EXPECT_TRUE(events_.contains("other"));
    EXPECT_EQ(log_.counts().dropped[EventCounts::kRateLimit], 25U - EventLog::kBurstOfObject);
    now_ = *log_.due();
    EXPECT_THAT(sent(), SizeIs(1)) << "one more when there is room again";
}

TEST_F(Events, ANodeHasItsRate) {
    std::vector<Finding> many;
    for (int i = 0; i < 80; ++i)
        many.push_back(finding("a" + std::to_string(i), fmt::format("{:08}", i)));
    observe(many);
    EXPECT_THAT(sent(), SizeIs(EventLog::kBurst));
    now_ = *log_.due();
    EXPECT_THAT(sent(), SizeIs(1)) << "later, and nothing is lost";
    now_ += 10min;
    EXPECT_THAT(sent(), SizeIs(29));
}

TEST_F(Events, MemoryIsBounded) {
    std::vector<Finding> many;
    for (std::size_t i = 0; i < EventLog::kMostFindings + 10; ++i)
        many.push_back(finding("a" + std::to_string(i)));
    observe(many);
    EXPECT_EQ(log_.size(), EventLog::kMostFindings);
    EXPECT_EQ(log_.counts().dropped[EventCounts::kTooMany], 10U);
    observe({});
    now_ += 1h;
    observe({});
    EXPECT_EQ(log_.size(), 0U);
}

} // namespace
} // namespace weir
