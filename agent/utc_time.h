// SPDX-License-Identifier: Apache-2.0
// Points in time as Kubernetes writes them (RFC 3339, UTC).
#pragma once

#include <fmt/chrono.h>

#include <chrono>
#include <string>

namespace weir {

// "2026-11-28T22:34:24Z".
inline std::string utc_text(std::chrono::system_clock::time_point time) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z",
                       fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

} // namespace weir
