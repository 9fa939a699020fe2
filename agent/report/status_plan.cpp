// SPDX-License-Identifier: Apache-2.0
#include "agent/report/status_plan.h"

#include <utility>

#include "agent/report/http_status.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

constexpr auto kSettle = 30s; // until the watch tells of the newer version
constexpr auto kWriteAgainAfter = 1min;
constexpr auto kNotSoon = 30min; // no right, no such subresource; or written, and of no effect

} // namespace

void StatusPlan::observe(const std::vector<StatusWrite>& writes, Time now) {
    std::map<std::string, Entry> needed;
    for (const auto& write : writes) {
        const std::string key = to_string(write.object);
        Time due = now + write.delay;
        // Waiting goes on while nobody changes the object.
        const auto known = entries_.find(key);
        if (known != entries_.end() && known->second.write.version == write.version &&
            known->second.write.content == write.content) {
            due = known->second.due;
        }
        needed.insert_or_assign(key, Entry{write, due});
    }
    entries_ = std::move(needed);
}

std::optional<StatusWrite> StatusPlan::next(Time now) {
    for (const auto& [key, entry] : entries_) {
        if (entry.due <= now) return entry.write;
    }
    return std::nullopt;
}

void StatusPlan::answer(const StatusWrite& write, unsigned status, Time now) {
    const bool is_outdated = status == http_status::kConflict;
    const bool is_away = http_status::is_away(status);
    if (http_status::is_success(status)) {
        ++counts_.written;
    } else if (is_outdated) {
        ++counts_.outdated;
    } else {
        ++counts_.failed;
    }
    const auto found = entries_.find(to_string(write.object));
    // Observed anew meanwhile: then that is to be written.
    if (found == entries_.end() || found->second.write.version != write.version) return;
    found->second.due = now + (is_outdated ? kSettle : is_away ? kWriteAgainAfter : kNotSoon);
}

std::optional<StatusPlan::Time> StatusPlan::due() const {
    std::optional<Time> first;
    for (const auto& [key, entry] : entries_) {
        if (!first || entry.due < *first) first = entry.due;
    }
    return first;
}

} // namespace weir
