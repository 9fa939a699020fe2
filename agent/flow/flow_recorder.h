// SPDX-License-Identifier: Apache-2.0
// From kernel events to flow records: names, rules and wall-clock times, as they are at that
// moment.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "agent/flow/flow_record.h"

namespace weir {

class Inventory;

class FlowRecorder {
public:
    // Pod of a slot; empty names when there is no such endpoint.
    using PodOfSlot = std::function<ObjectName(std::uint32_t slot)>;

    // rules: asked again whenever forget_rules() was called. Both must outlive the recorder.
    FlowRecorder(const Inventory& inventory, std::function<const RuleInfo*(std::uint32_t)> rules,
                 PodOfSlot pod_of_slot);

    // Compares the clocks again: the wall clock may have been set.
    void synchronise();
    FlowRecord record(const weir_event& event);
    // A new revision is in force: an id may stand for the same rule at another line.
    void forget_rules() { rule_cache_.clear(); }

private:
    FlowEnd end(const Address& address, std::uint16_t port) const;
    std::shared_ptr<const RuleInfo> rule(std::uint32_t id);
    std::chrono::system_clock::time_point wall(std::uint64_t monotonic) const;

    const Inventory& inventory_;
    std::function<const RuleInfo*(std::uint32_t)> rules_;
    PodOfSlot pod_of_slot_;
    std::unordered_map<std::uint32_t, std::shared_ptr<const RuleInfo>> rule_cache_;
    std::int64_t wall_offset_ = 0; // ns from CLOCK_MONOTONIC to the epoch
};

} // namespace weir
