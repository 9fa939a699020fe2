// SPDX-License-Identifier: Apache-2.0
#include "agent/report/event_log.h"

#include <algorithm>
#include <set>
#include <utility>

#include "agent/report/http_status.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using Verb = EventCall::Verb;
using http_status::is_away;
using http_status::is_success;

constexpr auto kRepeatAfter = 30min; // half of what the API server keeps an Event by default
constexpr auto kLookAfter = 65min;   // whether an Event of another node's is still there
constexpr auto kRetryAfter = 1min;
constexpr auto kGather = 5s;         // occurrences become one request
constexpr auto kForgetAfter = 10min; // of one that does not hold any more
constexpr auto kRefillOfObject = 5min;

std::string key_of(const Finding& finding) {
    return finding.object.name.ns.get() + "/" + event_name(finding);
}

} // namespace

const char* to_string(EventCounts::Dropped reason) {
    constexpr std::array words = {"api_away", "refused", "rate_limit", "too_many"};
    return words.at(reason);
}

EventLog::Entry* EventLog::find_or_add(const Finding& finding, Time now) {
    const std::string key = key_of(finding);
    if (const auto known = entries_.find(key); known != entries_.end()) return &known->second;
    if (entries_.size() >= kMostFindings) {
        ++counts_.dropped[EventCounts::kTooMany];
        return nullptr;
    }
    Entry entry;
    entry.finding = finding;
    entry.ended = now;
    return &entries_.emplace(key, std::move(entry)).first->second;
}

void EventLog::observe(const std::vector<Finding>& findings, Time now) {
    forget_ended(now);
    std::set<const Entry*> seen;
    for (const auto& finding : findings) {
        Entry* entry = find_or_add(finding, now);
        if (entry == nullptr) continue;
        seen.insert(entry);
        if (!std::exchange(entry->holds, true)) begin(*entry, now, now + finding.delay);
    }
    for (auto& [key, entry] : entries_) {
        if (!entry.holds || seen.contains(&entry)) continue;
        entry.holds = false;
        entry.ended = now;
        // It was mended before anybody was told.
        entry.due.reset();
        entry.news = 0;
    }
}

void EventLog::occur(const Finding& finding, Time now) {
    forget_ended(now);
    Entry* entry = find_or_add(finding, now);
    if (entry == nullptr) return;
    if (!entry->holds) entry->ended = now;
    begin(*entry, now, now + (entry->state == Entry::State::kUntold ? finding.delay : kGather));
}

// Whoever told it first goes on with its series; the others have nothing to add.
void EventLog::begin(Entry& entry, Time now, Time due) {
    if (entry.state == Entry::State::kOthers && entry.due > now) return;
    ++entry.news;
    entry.due = entry.due ? std::min(*entry.due, due) : due;
}

std::optional<EventCall> EventLog::next(Time now) {
    not_before_ = of_all_.next(now); // later, then: nothing is lost
    if (now < not_before_) return std::nullopt;
    for (auto& [key, entry] : entries_) {
        if (!entry.due || *entry.due > now || !take_share(entry, now)) continue;
        of_all_.take(now);
        switch (entry.state) {
            case Entry::State::kUntold:
            case Entry::State::kOthers:
                return EventCall{Verb::kCreate, entry.finding, 1, entry.news};
            case Entry::State::kThere:
                return EventCall{Verb::kRead, entry.finding, 1, 0};
            case Entry::State::kOwn:
                return EventCall{Verb::kRepeat, entry.finding,
                                 entry.count + std::max(entry.news, 1U), entry.news};
        }
    }
    return std::nullopt;
}

bool EventLog::take_share(Entry& entry, Time now) {
    auto& bucket =
        of_objects_.try_emplace(entry.finding.uid, kBurstOfObject, kRefillOfObject).first->second;
    if (bucket.take(now)) return true;
    drop(entry, EventCounts::kRateLimit, bucket.next(now));
    return false;
}

void EventLog::answer(const EventCall& call, unsigned status, const EventRecord& record, Time now) {
    const auto found = entries_.find(key_of(call.finding));
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    if (is_away(status)) return drop(entry, EventCounts::kApiAway, now + kRetryAfter);
    if (call.verb == Verb::kCreate && status == http_status::kConflict) {
        ++counts_.shared;
        entry.state = Entry::State::kThere;
        entry.due = now;
    } else if (call.verb == Verb::kCreate && is_success(status)) {
        ++counts_.created;
        entry.state = Entry::State::kOwn;
        told(entry, call, now);
    } else if (call.verb == Verb::kRepeat && is_success(status)) {
        ++counts_.repeated;
        told(entry, call, now);
    } else if (call.verb == Verb::kRead && status == http_status::kOk) {
        const bool is_own = record.reporting_instance == node_;
        entry.state = is_own ? Entry::State::kOwn : Entry::State::kOthers;
        entry.count = record.count;
        entry.due.reset();
        if (is_own) entry.due = now;
        if (!is_own && entry.holds) entry.due = now + kLookAfter;
    } else if (call.verb != Verb::kCreate &&
               status == http_status::kNotFound) { // the API server forgot it
        entry.state = Entry::State::kUntold;
        entry.due = now;
    } else {
        drop(entry, EventCounts::kRefused, now + kRepeatAfter);
    }
}

void EventLog::told(Entry& entry, const EventCall& call, Time now) {
    entry.count = call.count;
    entry.news -= std::min(entry.news, call.news);
    entry.due.reset();
    if (entry.news != 0) // it happened once more meanwhile
        entry.due = now + kGather;
    else if (entry.holds)
        entry.due = now + kRepeatAfter;
}

void EventLog::drop(Entry& entry, EventCounts::Dropped reason, Time retry) {
    ++counts_.dropped[reason];
    entry.news = 0;
    entry.due.reset();
    if (entry.holds) entry.due = retry;
}

void EventLog::forget_ended(Time now) {
    std::erase_if(entries_, [&](const auto& item) {
        const Entry& entry = item.second;
        return !entry.holds && !entry.due && now - entry.ended > kForgetAfter;
    });
    std::erase_if(of_objects_, [&](const auto& item) { return item.second.is_full(now); });
}

std::optional<EventLog::Time> EventLog::due() const {
    std::optional<Time> first;
    for (const auto& [key, entry] : entries_) {
        if (entry.due && (!first || *entry.due < *first)) first = entry.due;
    }
    if (first) first = std::max(*first, not_before_);
    return first;
}

} // namespace weir
