// SPDX-License-Identifier: Apache-2.0
// What of Services and routes is not as written, and what to do about it.
#pragma once

#include <string>
#include <vector>

#include "policy/service_compiler.h"

namespace weir {

struct ServiceProblem {
    enum class Cause {
        kNoRoom, // in this node's maps
        kTaken,  // an address and port are another Service's
        kRoute   // one that is attached to it is not applied, or refuses a share
    };
    Cause cause = Cause::kNoRoom;
    ObjectName service; // that it is about
    std::string object; // "Service shop/web", "the hostPort of Pod shop/web-0"
    std::string note;   // names the remedy
    std::string text;   // the same, and the object
};

// No room in a map, a frontend that another Service has, a route that is not applied or whose
// backendRefs lead nowhere.
std::vector<ServiceProblem> service_problems(const ServiceCompiler& compiler);

// "198.51.100.1:80/TCP"
std::string frontend_text(const weir_service_key& key);

// By enum weir_service_outcome, as the label of weir_service_outcomes_total.
const char* service_outcome_word(std::size_t outcome);
// By enum weir_uplink_outcome, as the label of weir_uplink_packets_total.
const char* uplink_outcome_word(std::size_t outcome);

} // namespace weir
