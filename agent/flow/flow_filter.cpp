// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/flow_filter.h"

#include <algorithm>

namespace weir {
namespace {

bool is_pod(const FlowEnd& end, const PodPattern& pattern) {
    if (end.pod.name.get() != pattern.name) return false;
    return pattern.ns.empty() || end.pod.ns.get() == pattern.ns;
}

bool has_pod(const FlowRecord& flow, const std::vector<PodPattern>& patterns) {
    return std::ranges::any_of(patterns, [&flow](const PodPattern& pattern) {
        return is_pod(flow.source, pattern) || is_pod(flow.destination, pattern);
    });
}

} // namespace

bool FlowFilter::matches(const FlowRecord& flow) const {
    if (flow.time < since) return false;
    if (verdict && *verdict != flow.verdict()) return false;
    if (port != 0 && port != flow.destination.port) return false;
    if (protocol && *protocol != flow.protocol) return false;
    if (!ns.empty() && flow.source.pod.ns.get() != ns && flow.destination.pod.ns.get() != ns) {
        return false;
    }
    return pods.empty() || has_pod(flow, pods);
}

} // namespace weir
