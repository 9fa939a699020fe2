// SPDX-License-Identifier: Apache-2.0
// One connection, or one series of refused packets, as far as this node saw it. Names and rules are
// resolved when it happens: later the address may be another pod's and the rule be gone.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bpf/abi.h"
#include "policy/address.h"
#include "policy/model.h"
#include "policy/rule_book.h"

namespace weir {

struct FlowEnd {
    Address address;
    std::uint16_t port = 0;
    ObjectName pod; // empty names when it is not a known pod
    Symbol node;    // when the address is a node's
};

// What one side decided.
struct FlowSide {
    bool is_judged = false;
    bool is_allowed = false;
    bool is_audited = false; // allowed, because what would deny it is audited: the rule
    std::uint32_t rule_id = WEIR_RULE_NONE;
    std::shared_ptr<const RuleInfo> rule; // null for reserved and forgotten ids
};

enum class FlowVerdict { kAllow, kDeny, kAudit };

struct FlowRecord {
    std::chrono::system_clock::time_point time; // of the last news
    std::chrono::system_clock::time_point first_seen;
    FlowEnd source; // opened it
    FlowEnd destination;
    FlowSide sides[WEIR_DIRECTIONS];
    std::uint64_t packets[2] = {}; // [0] from the source
    std::uint64_t bytes[2] = {};
    std::uint64_t kernel_first_seen = 0; // tells connections between the same ports apart
    // Flows, or refused packets, that the record tells of: the kernel samples floods.
    std::uint64_t stands_for = 0;
    std::uint8_t protocol = 0;
    std::uint8_t event = 0;  // enum weir_event_type of the last news
    std::uint8_t reason = 0; // enum weir_drop_reason
    std::uint8_t direction = 0;
    std::uint8_t tcp_flags = 0;
    std::uint8_t icmp_type = 0;
    std::uint8_t icmp_code = 0;
    bool is_reply = false;

    bool is_denied() const { return reason != WEIR_DROP_NONE; }
    FlowVerdict verdict() const {
        if (is_denied()) return FlowVerdict::kDeny;
        const bool is_audited = sides[WEIR_EGRESS].is_audited || sides[WEIR_INGRESS].is_audited;
        return is_audited ? FlowVerdict::kAudit : FlowVerdict::kAllow;
    }
};

// "allow", "deny", "audit".
const char* verdict_word(FlowVerdict verdict);
std::optional<FlowVerdict> parse_verdict(std::string_view text);

// "TCP", "UDP", "SCTP", "ICMP", "ICMPv6" or the number.
std::string protocol_name(std::uint8_t protocol);
// The other way round, upper or lower case. Nothing for what is neither.
std::optional<std::uint8_t> protocol_number(std::string_view text);

// The word of abi.h's list; empty for WEIR_DROP_NONE.
const char* drop_word(std::uint8_t reason);
const char* direction_word(std::uint8_t direction);

} // namespace weir
