// SPDX-License-Identifier: Apache-2.0
// From rule ids, as the kernel reports them, to the policy rule behind each.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/model.h"

namespace weir {

// A policy rule, or the isolation of a pod by one or more policies that have no matching rule.
struct RuleInfo {
    Symbol kind; // "NetworkPolicy"; empty for the reserved ids
    ObjectName policy;
    weir_direction direction = WEIR_EGRESS;
    std::optional<std::uint32_t> index;  // of the rule in the policy; none for isolation
    Origin origin;                       // of the rule; for isolation, of the first policy
    std::vector<ObjectName> isolated_by; // by namespace and name; only for isolation

    bool operator==(const RuleInfo&) const = default;
};

class RuleBook {
public:
    // What the id stands for. Null for an id that is not (or no longer) known, such as one of an
    // earlier agent.
    const RuleInfo* find(std::uint32_t id) const;

    // For the compiler. Ids count up and are not used twice within 31 bits.
    void start_after(std::uint32_t last_id);
    std::uint32_t add(RuleInfo info);
    void update(std::uint32_t id, RuleInfo info);
    // The rule is gone; its info stays for a while, because recent flows still name it.
    void retire(std::uint32_t id);
    std::uint32_t last() const { return last_; }

private:
    std::unordered_map<std::uint32_t, RuleInfo> infos_;
    std::deque<std::uint32_t> retired_;
    std::uint32_t last_ = WEIR_RULE_FIRST - 1;
};

} // namespace weir
