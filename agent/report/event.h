// SPDX-License-Identifier: Apache-2.0
// Events of the Kubernetes API (events.k8s.io/v1): names, requests, answers.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "agent/kube/api/connection.h"
#include "agent/report/finding.h"

namespace weir {

inline constexpr const char* kReportingController = "weir.io/agent";

// The same on every node for the same object (by its uid), reason and note, so that whoever tells
// it second is told that it is there already.
std::string event_name(const Finding& finding);

// The text, or its beginning and "..." in at most so many bytes; never a part of a character.
std::string cut_text(std::string text, std::size_t most);

// When, as metav1.Time and metav1.MicroTime have it.
std::string micro_time_text(std::chrono::system_clock::time_point time);

ApiRequest create_event(const Finding& finding, const std::string& node,
                        std::chrono::system_clock::time_point now);
ApiRequest read_event(const Finding& finding);
// The same was seen count times, the last time now.
ApiRequest repeat_event(const Finding& finding, std::uint32_t count,
                        std::chrono::system_clock::time_point now);

// What read_event() is answered.
struct EventRecord {
    std::string reporting_instance; // who created it; empty: not to be told
    std::uint32_t count = 1;
};
EventRecord parse_event(const std::string& body);

} // namespace weir
