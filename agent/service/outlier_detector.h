// SPDX-License-Identifier: Apache-2.0
// Which backends leave the balancing because connections to them fail, and for how long: outlier
// detection by consecutive failures, as Istio's DestinationRule configures it and Envoy does it. A
// backend that returns is on trial: its first failure ejects it again, for longer. No clock and no
// maps of its own.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "policy/service_model.h"

namespace weir {

class OutlierDetector {
public:
    using Clock = std::chrono::steady_clock;

    // What the kernel has of one.
    struct Backend {
        std::uint32_t id = 0;
        std::uint32_t generation = 0; // of this use of the id
        std::uint32_t failures = 0;   // consecutive
        bool is_ejected = false;
    };
    struct Decision {
        std::uint32_t id = 0;
        bool is_ejected = false;    // from now on
        std::uint32_t failures = 0; // which it returns with
    };
    struct Record {
        std::uint32_t generation = 0;
        std::uint32_t ejections = 0;   // the next one lasts as many times as long, and once more
        Clock::time_point until;       // of the ejection, while it lasts
        Clock::time_point forgiven_at; // an ejection was forgiven, or the backend came back
    };

    // One look at backends that take each other's place, all of one IP family: what has to change.
    // One that an earlier agent ejected is so from the first look on.
    std::vector<Decision> look(const DestinationRule::Outliers& settings,
                               std::span<const Backend> pool, Clock::time_point now);
    // Backends that no look saw since the last call are forgotten.
    void forget_unseen();

    // Null when it was never ejected, or long ago.
    const Record* find(std::uint32_t id) const;

private:
    struct Entry {
        Record record;
        bool is_seen = true;
    };

    Record& record_of(const Backend& backend);

    boost::unordered_flat_map<std::uint32_t, Entry> entries_; // by id
};

} // namespace weir
