// SPDX-License-Identifier: Apache-2.0
// What libbpf has to say, the verifier's log included, kept for an error message and off stderr.
#pragma once

#include <string>

namespace weir {

class LogCapture {
public:
    // Collects what libbpf says on this thread until it is destroyed.
    LogCapture();
    ~LogCapture();
    LogCapture(const LogCapture&) = delete;
    LogCapture& operator=(const LogCapture&) = delete;

    // The last lines, at most `length` bytes.
    std::string tail(std::size_t length = 3000) const;

private:
    std::string text_;
    std::string* outer_;
};

} // namespace weir
