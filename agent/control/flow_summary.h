// SPDX-License-Identifier: Apache-2.0
// Recent flows without what tells one connection from the next: who talked to whom on which port,
// how often and when. For previews.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/flow/flow_record.h"

namespace weir {

struct SeenFlow {
    FlowEnd source; // without port
    FlowEnd destination;
    std::uint8_t protocol = 0;
    bool is_denied = false; // by policy
    weir_direction denied_by = WEIR_EGRESS;
    std::uint64_t count = 0; // connections, or refused packets
    std::chrono::system_clock::time_point first_seen;
    std::chrono::system_clock::time_point last_seen;
};

class FlowSummary {
public:
    // Refusals that no policy is the reason of (spoofed, malformed) are left out.
    void add(const FlowRecord& record);
    std::vector<SeenFlow> take();

private:
    std::map<std::string, SeenFlow> flows_;
};

} // namespace weir
