// SPDX-License-Identifier: Apache-2.0
// Suggested policies between the flows they are made from and the YAML they become.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/control/flow_summary.h"
#include "agent/control/workload.h"

namespace weir {

// The flows that a rule was derived from.
struct Evidence {
    std::uint64_t count = 0;
    std::chrono::system_clock::time_point first_seen;
    std::chrono::system_clock::time_point last_seen;
    std::map<std::string, std::uint64_t> peers; // "shop/web-1", "node/n2", "10.0.0.7": flows
    bool has_denied = false;

    void add(const SeenFlow& flow, const std::string& peer);
    void add(const Evidence& other);
};

using SuggestedPort = std::pair<std::uint8_t, std::uint16_t>; // protocol, number

// One peer, or addresses outside that all need the same ports.
struct SuggestedRule {
    const Workload* pods = nullptr; // null: addresses
    std::set<Address> addresses;
    std::set<SuggestedPort> ports;
    bool needs_all =
        false; // a protocol without ports was seen: only a rule without ports admits it
    std::set<std::string> portless; // their names
    Evidence evidence;
};

struct SuggestedPolicy {
    const Workload* subject = nullptr;
    std::string name;
    std::vector<SuggestedRule> ingress;
    std::vector<SuggestedRule> egress;
    Evidence from_own_node; // passes without a rule
};

struct Suggestion {
    std::string ns;
    std::vector<Workload> workloads; // of the whole cluster: what the rules point to
    std::vector<SuggestedPolicy> policies;
    std::vector<std::string> notes; // what was left out, and why
};

// Above these a rule's addresses share blocks.
inline constexpr std::size_t kMaxBlocks = 16;

// The policies as YAML documents, each rule under a comment that says where it comes from.
std::string to_yaml(const Suggestion& suggestion);

} // namespace weir
