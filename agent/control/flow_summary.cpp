// SPDX-License-Identifier: Apache-2.0
#include "agent/control/flow_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir {
namespace {

// A pod by its name, so that its addresses of one family are one end; anybody else by address.
std::string key_of(const FlowEnd& end) {
    if (end.pod.name.get().empty()) return end.address.to_string();
    return fmt::format("{}/{} {}", end.pod.ns.get(), end.pod.name.get(),
                       end.address.is_v4() ? "4" : "6");
}

} // namespace

void FlowSummary::add(const FlowRecord& record) {
    const bool is_policy = record.reason == WEIR_DROP_POLICY_DENY;
    if (record.is_denied() && !is_policy) return;
    const std::string key =
        fmt::format("{}|{}|{}|{}|{}", key_of(record.source), key_of(record.destination),
                    record.destination.port, record.protocol, record.is_denied());
    const auto [entry, is_new] = flows_.try_emplace(key);
    SeenFlow& flow = entry->second;
    if (is_new) {
        flow.source = record.source;
        flow.source.port = 0;
        flow.destination = record.destination;
        flow.protocol = record.protocol;
        flow.is_denied = record.is_denied();
        flow.denied_by = record.direction == WEIR_EGRESS ? WEIR_EGRESS : WEIR_INGRESS;
        flow.first_seen = record.first_seen;
        flow.last_seen = record.time;
    }
    flow.count += std::max<std::uint64_t>(1, record.stands_for);
    flow.first_seen = std::min(flow.first_seen, std::min(record.first_seen, record.time));
    flow.last_seen = std::max(flow.last_seen, record.time);
}

std::vector<SeenFlow> FlowSummary::take() {
    std::vector<SeenFlow> flows;
    flows.reserve(flows_.size());
    for (auto& [key, flow] : std::exchange(flows_, {}))
        flows.push_back(std::move(flow));
    return flows;
}

} // namespace weir
