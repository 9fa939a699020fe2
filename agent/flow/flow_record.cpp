// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/flow_record.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

namespace weir {
namespace {

constexpr std::array<std::pair<std::uint8_t, std::string_view>, 5> kProtocols{{
    {IPPROTO_TCP, "TCP"},
    {IPPROTO_UDP, "UDP"},
    {IPPROTO_SCTP, "SCTP"},
    {IPPROTO_ICMP, "ICMP"},
    {IPPROTO_ICMPV6, "ICMPv6"},
}};

bool equals_ignoring_case(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, [](unsigned char a, unsigned char b) {
        return std::tolower(a) == std::tolower(b);
    });
}

} // namespace

std::string protocol_name(std::uint8_t protocol) {
    for (const auto& [number, name] : kProtocols) {
        if (number == protocol) return std::string(name);
    }
    return std::to_string(protocol);
}

std::optional<std::uint8_t> protocol_number(std::string_view text) {
    for (const auto& [number, name] : kProtocols) {
        if (equals_ignoring_case(name, text)) return number;
    }
    std::uint8_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || rest != end) return {};
    return number;
}

const char* verdict_word(FlowVerdict verdict) {
    switch (verdict) {
        case FlowVerdict::kAllow:
            return "allow";
        case FlowVerdict::kDeny:
            return "deny";
        case FlowVerdict::kAudit:
            return "audit";
    }
    return "";
}

std::optional<FlowVerdict> parse_verdict(std::string_view text) {
    for (const auto verdict : {FlowVerdict::kAllow, FlowVerdict::kDeny, FlowVerdict::kAudit}) {
        if (text == verdict_word(verdict)) return verdict;
    }
    return {};
}

const char* drop_word(std::uint8_t reason) {
    switch (reason) {
#define WEIR_DROP(name, word, text) \
    case WEIR_DROP_##name:          \
        return word;
        WEIR_DROP_REASONS(WEIR_DROP)
#undef WEIR_DROP
        default:
            return "";
    }
}

const char* direction_word(std::uint8_t direction) {
    return direction == WEIR_EGRESS ? "egress" : "ingress";
}

} // namespace weir
