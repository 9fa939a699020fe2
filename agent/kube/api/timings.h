// SPDX-License-Identifier: Apache-2.0
// How patient the API client is. Tests are less so.
#pragma once

#include <chrono>
#include <cstddef>

namespace weir {

struct ApiTimings {
    using Duration = std::chrono::steady_clock::duration;

    Duration connect = std::chrono::seconds(10); // TCP, proxy and TLS together
    Duration answer = std::chrono::seconds(30);  // to the header, and between pieces of a list
    // Between pieces of a watch. The API server sends a bookmark about every minute.
    Duration idle = std::chrono::minutes(3);
    // The API server ends a watch after that and up to as much again, as clients of its own ask.
    Duration watch = std::chrono::minutes(5);
    Duration first_retry = std::chrono::milliseconds(100);
    Duration longest_retry = std::chrono::seconds(30);
    Duration longest_retry_after = std::chrono::minutes(2); // of what the server asks for
    // A watch that lived as long as that was no failure.
    Duration settled = std::chrono::seconds(10);
    // How often to look for a kind that is not served, when nothing says that it came.
    Duration absent = std::chrono::minutes(5);
    // Between two looks before a kind that was served counts as gone.
    Duration doubt = std::chrono::seconds(1);
    std::size_t page = 2000; // objects
};

} // namespace weir
