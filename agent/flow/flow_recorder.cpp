// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/flow_recorder.h"

#include <arpa/inet.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "agent/inventory.h"

namespace weir {
namespace {

// 0 counts as 1; events that are no verdict stand for nothing new.
std::uint64_t stands_for(const weir_event& event) {
    const bool is_verdict = event.type == WEIR_EVENT_ALLOWED || event.type == WEIR_EVENT_DENIED;
    return is_verdict ? std::max<std::uint64_t>(1, event.stands_for) : 0;
}

} // namespace

FlowRecorder::FlowRecorder(const Inventory& inventory,
                           std::function<const RuleInfo*(std::uint32_t)> rules,
                           PodOfSlot pod_of_slot)
    : inventory_(inventory), rules_(std::move(rules)), pod_of_slot_(std::move(pod_of_slot)) {
    synchronise();
}

void FlowRecorder::synchronise() {
    using std::chrono::nanoseconds;
    const auto wall = std::chrono::system_clock::now().time_since_epoch();
    const auto monotonic = std::chrono::steady_clock::now().time_since_epoch();
    wall_offset_ = std::chrono::duration_cast<nanoseconds>(wall).count() -
                   std::chrono::duration_cast<nanoseconds>(monotonic).count();
}

FlowRecord FlowRecorder::record(const weir_event& event) {
    FlowRecord record;
    record.time = wall(event.time);
    record.first_seen = wall(event.first_seen);
    record.kernel_first_seen = event.first_seen;
    record.source = end(Address::from_abi(event.initiator), ntohs(event.initiator_port));
    record.destination = end(Address::from_abi(event.responder), ntohs(event.responder_port));
    for (int travel = 0; travel < 2; ++travel) {
        record.packets[travel] = event.packets[travel];
        record.bytes[travel] = event.bytes[travel];
    }
    record.protocol = event.protocol;
    record.event = event.type;
    record.reason = event.reason;
    record.direction = event.direction;
    record.tcp_flags = event.tcp_flags;
    record.icmp_type = event.icmp_type;
    record.icmp_code = event.icmp_code;
    record.is_reply = event.is_reply != 0;
    record.stands_for = stands_for(event);

    FlowEnd& endpoint = event.direction == WEIR_EGRESS ? record.source : record.destination;
    // An endpoint whose Pod object is not known yet still has the name it was added with. Not for a
    // spoofed packet: its address is nobody's.
    const bool is_nameless = endpoint.pod.name.get().empty() && endpoint.node.get().empty();
    if (is_nameless && event.reason != WEIR_DROP_SPOOFED_SOURCE) {
        endpoint.pod = pod_of_slot_(event.slot);
    }

    const bool is_verdict = event.type == WEIR_EVENT_ALLOWED || event.type == WEIR_EVENT_DENIED;
    if (!is_verdict) return record;
    FlowSide& side = record.sides[event.direction == WEIR_EGRESS ? WEIR_EGRESS : WEIR_INGRESS];
    const bool is_allowed = event.type == WEIR_EVENT_ALLOWED;
    const std::uint32_t id = WEIR_VERDICT_RULE(event.rule);
    side = {.is_judged = true,
            .is_allowed = is_allowed,
            .is_audited = is_allowed && (event.rule & WEIR_VERDICT_AUDIT) != 0,
            .rule_id = id,
            .rule = rule(id)};
    return record;
}

FlowEnd FlowRecorder::end(const Address& address, std::uint16_t port) const {
    FlowEnd end{.address = address, .port = port, .pod = {}, .node = {}};
    if (const auto* owner = inventory_.owner_of(address)) {
        end.pod = owner->pod;
        end.node = owner->node;
    }
    return end;
}

std::shared_ptr<const RuleInfo> FlowRecorder::rule(std::uint32_t id) {
    if (id < WEIR_RULE_FIRST) return nullptr;
    const auto [cached, is_new] = rule_cache_.try_emplace(id);
    if (!is_new) return cached->second;
    if (const auto* info = rules_(id)) cached->second = std::make_shared<const RuleInfo>(*info);
    return cached->second;
}

std::chrono::system_clock::time_point FlowRecorder::wall(std::uint64_t monotonic) const {
    const std::chrono::nanoseconds since_epoch(static_cast<std::int64_t>(monotonic) + wall_offset_);
    return std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(since_epoch));
}

} // namespace weir
