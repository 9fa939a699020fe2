// SPDX-License-Identifier: Apache-2.0
#include "agent/service/outlier_detector.h"

#include <algorithm>

namespace weir {
namespace {

using std::chrono::milliseconds;

// Envoy's max_ejection_time, which Istio leaves at its default.
constexpr milliseconds kLongestEjection{300'000};

milliseconds duration_of(const DestinationRule::Outliers& settings, std::uint32_t ejections) {
    const milliseconds base{settings.ejection_ms};
    return std::min(base * ejections, std::max(base, kLongestEjection));
}

// An ejection is forgiven after each interval in which the backend served.
void forgive(OutlierDetector::Record& record, const DestinationRule::Outliers& settings,
             OutlierDetector::Clock::time_point now) {
    const milliseconds interval{std::max(settings.interval_ms, 1u)};
    const auto forgiven = (now - record.forgiven_at) / interval;
    if (forgiven <= 0) return;
    record.ejections -=
        static_cast<std::uint32_t>(std::min<std::int64_t>(forgiven, record.ejections));
    record.forgiven_at += interval * forgiven;
}

} // namespace

std::vector<OutlierDetector::Decision> OutlierDetector::look(
    const DestinationRule::Outliers& settings, std::span<const Backend> pool,
    Clock::time_point now) {
    std::vector<Decision> decisions;
    auto ejected = static_cast<std::size_t>(std::ranges::count(pool, true, &Backend::is_ejected));
    for (const Backend& backend : pool) {
        if (!backend.is_ejected) continue;
        Record& record = record_of(backend);
        if (record.ejections == 0) { // an earlier agent's
            record.ejections = 1;
            record.until = now + duration_of(settings, 1);
        }
        if (now < record.until) continue;
        record.forgiven_at = now;
        --ejected;
        decisions.push_back({backend.id, false, settings.consecutive - 1});
    }
    for (const Backend& backend : pool) {
        if (backend.is_ejected) continue;
        if (entries_.contains(backend.id)) forgive(record_of(backend), settings, now);
        // "Maximum % of hosts in the load balancing pool ... that can be ejected": as Envoy counts,
        // the one that crosses the line is still ejected.
        const bool has_room = ejected * 100 < settings.most_percent * pool.size();
        if (backend.failures < settings.consecutive || !has_room) continue;
        Record& record = record_of(backend);
        ++record.ejections;
        record.until = now + duration_of(settings, record.ejections);
        ++ejected;
        decisions.push_back({backend.id, true, backend.failures});
    }
    return decisions;
}

OutlierDetector::Record& OutlierDetector::record_of(const Backend& backend) {
    Entry& entry = entries_[backend.id];
    if (entry.record.generation != backend.generation) {
        entry.record = Record{.generation = backend.generation, .until = {}, .forgiven_at = {}};
    }
    entry.is_seen = true;
    return entry.record;
}

void OutlierDetector::forget_unseen() {
    boost::unordered::erase_if(entries_, [](const auto& item) { return !item.second.is_seen; });
    for (auto& [id, entry] : entries_)
        entry.is_seen = false;
}

const OutlierDetector::Record* OutlierDetector::find(std::uint32_t id) const {
    const auto known = entries_.find(id);
    return known == entries_.end() ? nullptr : &known->second.record;
}

} // namespace weir
