// SPDX-License-Identifier: Apache-2.0
// Which status to write when: what another node has written meanwhile is not written again. Knows
// no network and no clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/report/status_write.h"

namespace weir {

struct StatusCounts {
    std::uint64_t written = 0;
    std::uint64_t outdated = 0; // there was a newer version, of another node's as a rule
    std::uint64_t failed = 0;   // no answer, or refused
};

class StatusPlan {
public:
    using Time = std::chrono::steady_clock::time_point;

    // All writes that the objects need as they stand.
    void observe(const std::vector<StatusWrite>& writes, Time now);

    // What to send now; answer() has to come before the next call.
    std::optional<StatusWrite> next(Time now);
    // status: of HTTP, 0 when there was no answer.
    void answer(const StatusWrite& write, unsigned status, Time now);
    std::optional<Time> due() const;

    const StatusCounts& counts() const { return counts_; }

private:
    struct Entry {
        StatusWrite write;
        Time due;
    };
    std::map<std::string, Entry> entries_; // by kind and name
    StatusCounts counts_;
};

} // namespace weir
