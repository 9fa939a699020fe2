// SPDX-License-Identifier: Apache-2.0
// Which Event to write when: each finding once in the cluster, again as a series of the same Event,
// at a bounded rate. Knows no network and no clock.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/report/event.h"
#include "agent/report/finding.h"
#include "agent/report/token_bucket.h"

namespace weir {

struct EventCounts {
    enum Dropped : std::uint8_t {
        kApiAway,   // or it took too long
        kRefused,   // by the API server
        kRateLimit, // the object has had its share
        kTooMany    // findings at a time
    };
    std::uint64_t created = 0;
    std::uint64_t repeated = 0;
    std::uint64_t shared = 0; // found there already
    std::array<std::uint64_t, 4> dropped{};
};
// "api_away": the metric's label.
const char* to_string(EventCounts::Dropped reason);

// A request to the API server, and which it is.
struct EventCall {
    enum class Verb : std::uint8_t { kCreate, kRead, kRepeat };
    Verb verb = Verb::kCreate;
    Finding finding;
    std::uint32_t count = 1; // to be written by kRepeat
    std::uint32_t news = 0;  // occurrences that it tells of
};

class EventLog {
public:
    using Time = std::chrono::steady_clock::time_point;

    static constexpr std::size_t kMostFindings = 4096;
    static constexpr std::uint32_t kBurstOfObject = 10;
    static constexpr std::uint32_t kBurst = 50;

    explicit EventLog(std::string node) : node_(std::move(node)) {}

    // All findings that hold now. One that holds on is told again from time to time, because the
    // API server forgets Events after an hour.
    void observe(const std::vector<Finding>& findings, Time now);
    // Something that happened once more.
    void occur(const Finding& finding, Time now);

    // What to send now; answer() has to come before the next call. Nothing: at due() there may be.
    std::optional<EventCall> next(Time now);
    // status: of HTTP, 0 when there was no answer. record: of a kRead that was answered 200.
    void answer(const EventCall& call, unsigned status, const EventRecord& record, Time now);
    std::optional<Time> due() const;

    const EventCounts& counts() const { return counts_; }
    std::size_t size() const { return entries_.size(); }

private:
    struct Entry {
        enum class State : std::uint8_t {
            kUntold,
            kThere, // somebody has created it
            kOwn,   // this node has, and goes on with its series
            kOthers // another node has
        };
        Finding finding;
        State state = State::kUntold;
        bool holds = false;        // as observed last
        std::uint32_t news = 0;    // times that it began to hold or occurred, not told yet
        std::uint32_t count = 1;   // as the API has it
        std::optional<Time> due{}; // of the next request; nothing: when there is news
        Time ended{};              // when it ceased to hold
    };

    Entry* find_or_add(const Finding& finding, Time now);
    void begin(Entry& entry, Time now, Time due);
    void told(Entry& entry, const EventCall& call, Time now);
    void drop(Entry& entry, EventCounts::Dropped reason, Time retry);
    void forget_ended(Time now);
    bool take_share(Entry& entry, Time now);

    std::string node_;
    std::map<std::string, Entry> entries_;          // by namespace and name of the Event
    std::map<std::string, TokenBucket> of_objects_; // by uid
    TokenBucket of_all_{kBurst, std::chrono::seconds(2)};
    Time not_before_{}; // when there is a token again
    EventCounts counts_;
};

} // namespace weir
