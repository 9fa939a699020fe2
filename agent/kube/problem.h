// SPDX-License-Identifier: Apache-2.0
// What is wrong with a manifest, where, and what to do about it. Used by the agent's log, by
// `weir status` and by `weir check` alike.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace weir {

enum class Severity {
    kNotice,  // nothing is wrong: an object of a kind that Weir does not use
    kWarning, // the API server would accept it, with a warning or without
    kError    // the API server would refuse it: the object counts as absent
};

struct Problem {
    Severity severity = Severity::kError;
    std::string file;         // empty for an object of the Kubernetes API
    std::uint32_t line = 0;   // from 1; 0 when it concerns the whole file
    std::uint32_t column = 0; // from 1; 0 when unknown
    std::string object;       // "NetworkPolicy ns/name", as far as it is known
    std::string field;        // "spec.ingress[0].from[1].ipBlock.cidr"; may be empty
    std::string what;
    std::string remedy; // may be empty

    bool operator==(const Problem&) const = default;
};

// "error", "warning", "notice".
const char* to_string(Severity severity);
// One line, "file:line:col: error: NetworkPolicy ns/name: spec.x: what; remedy", without newline;
// an object of the API has neither place nor severity in it.
std::string to_string(const Problem& problem);
nlohmann::json to_json(const Problem& problem);

} // namespace weir
