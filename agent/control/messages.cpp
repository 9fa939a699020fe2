// SPDX-License-Identifier: Apache-2.0
#include "agent/control/messages.h"

#include <fmt/format.h>

namespace weir {
namespace {

const char* basis_of(std::uint32_t id, const RuleInfo* info) {
    switch (id) {
        case WEIR_RULE_NONE:
            return "not_isolated";
        case WEIR_RULE_OWN_NODE:
            return "own_node";
        case WEIR_RULE_OWN_ADDRESS:
            return "own_address";
        case WEIR_RULE_POD_UNKNOWN:
            return "pod_unknown";
        case WEIR_RULE_NEIGHBOUR:
            return "neighbour";
        case WEIR_RULE_RELATED:
            return "related";
        default:
            if (info == nullptr) return "unknown";
            return info->index ? "policy" : "isolation";
    }
}

const char* event_word(std::uint8_t type) {
    switch (type) {
        case WEIR_EVENT_ALLOWED:
            return "allowed";
        case WEIR_EVENT_DENIED:
            return "denied";
        case WEIR_EVENT_UPDATE:
            return "update";
        case WEIR_EVENT_CLOSED:
            return "closed";
        default:
            return "";
    }
}

void fill_side(v1::FlowSide& message, const FlowRecord& flow, weir_direction direction) {
    const FlowSide& side = flow.sides[direction];
    if (!side.is_judged) return;
    message.set_verdict(side.is_audited ? "audit" : side.is_allowed ? "allow" : "deny");
    // A malformed or spoofed packet never reached a rule.
    const bool has_rule = side.is_allowed || flow.reason == WEIR_DROP_POLICY_DENY ||
                          flow.reason == WEIR_DROP_POD_UNKNOWN;
    if (has_rule) *message.mutable_rule() = rule_message(side.rule_id, side.rule.get());
}

PodPattern pattern_of(const std::string& text) {
    const auto slash = text.find('/');
    if (slash == std::string::npos) return {.ns = "", .name = text};
    return {.ns = text.substr(0, slash), .name = text.substr(slash + 1)};
}

} // namespace

google::protobuf::Timestamp timestamp_of(std::chrono::system_clock::time_point time) {
    using std::chrono::nanoseconds;
    const auto since_epoch = std::chrono::duration_cast<nanoseconds>(time.time_since_epoch());
    google::protobuf::Timestamp message;
    message.set_seconds(since_epoch.count() / 1'000'000'000);
    message.set_nanos(static_cast<std::int32_t>(since_epoch.count() % 1'000'000'000));
    return message;
}

v1::Rule rule_message(std::uint32_t id, const RuleInfo* info) {
    v1::Rule message;
    message.set_basis(basis_of(id, info));
    if (info == nullptr || id < WEIR_RULE_FIRST) return message;
    message.set_kind(info->kind.get());
    message.set_namespace_(info->policy.ns.get());
    message.set_name(info->policy.name.get());
    if (info->index) message.set_index(*info->index);
    message.set_file(info->origin.file.get());
    message.set_line(info->origin.line);
    for (const auto& policy : info->isolated_by) {
        message.add_isolated_by(policy.ns.get() + "/" + policy.name.get());
    }
    return message;
}

void fill_end(v1::End& message, const FlowEnd& end) {
    message.set_namespace_(end.pod.ns.get());
    message.set_pod(end.pod.name.get());
    message.set_node(end.node.get());
    message.set_address(end.address.to_string());
    message.set_port(end.port);
}

std::string sentence_of(const Problem& problem) {
    std::string text = problem.object;
    for (const auto* part : {&problem.field, &problem.what}) {
        if (!part->empty()) text += (text.empty() ? "" : ": ") + *part;
    }
    return problem.remedy.empty() ? text : text + "; " + problem.remedy;
}

v1::Flow flow_message(const FlowRecord& flow) {
    v1::Flow message;
    *message.mutable_time() = timestamp_of(flow.time);
    *message.mutable_first_seen() = timestamp_of(flow.first_seen);
    message.set_event(event_word(flow.event));
    message.set_verdict(verdict_word(flow.verdict()));
    message.set_stands_for(flow.stands_for);
    message.set_drop_reason(drop_word(flow.reason));
    message.set_direction(direction_word(flow.direction));
    fill_end(*message.mutable_source(), flow.source);
    fill_end(*message.mutable_destination(), flow.destination);
    message.set_protocol(protocol_name(flow.protocol));
    fill_side(*message.mutable_egress(), flow, WEIR_EGRESS);
    fill_side(*message.mutable_ingress(), flow, WEIR_INGRESS);
    message.set_packets(flow.packets[0]);
    message.set_bytes(flow.bytes[0]);
    message.set_reply_packets(flow.packets[1]);
    message.set_reply_bytes(flow.bytes[1]);
    message.set_is_reply(flow.is_reply);
    message.set_tcp_flags(flow.tcp_flags);
    message.set_icmp_type(flow.icmp_type);
    message.set_icmp_code(flow.icmp_code);
    return message;
}

std::expected<FlowFilter, std::string> filter_of(const v1::FlowFilter& message) {
    FlowFilter filter;
    for (const auto& pod : message.pods())
        filter.pods.push_back(pattern_of(pod));
    filter.ns = message.namespace_();
    if (!message.verdict().empty()) {
        filter.verdict = parse_verdict(message.verdict());
        if (!filter.verdict) {
            return std::unexpected(
                fmt::format("verdict '{}': must be allow, deny or audit", message.verdict()));
        }
    }
    if (message.port() > 65535) {
        return std::unexpected(fmt::format("port {}: must be at most 65535", message.port()));
    }
    filter.port = static_cast<std::uint16_t>(message.port());
    if (!message.protocol().empty()) {
        filter.protocol = protocol_number(message.protocol());
        if (!filter.protocol) {
            return std::unexpected(
                fmt::format("protocol '{}': must be TCP, UDP, SCTP, ICMP, ICMPv6 "
                            "or a number up to 255",
                            message.protocol()));
        }
    }
    if (message.has_since()) {
        const auto since = std::chrono::seconds(message.since().seconds()) +
                           std::chrono::nanoseconds(message.since().nanos());
        filter.since = std::chrono::system_clock::time_point(since);
    }
    return filter;
}

} // namespace weir
