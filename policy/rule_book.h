// SPDX-License-Identifier: Apache-2.0
// From rule ids, as the kernel reports them, to the policy rule behind each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/model.h"

namespace weir {

// A policy rule, or the isolation of a pod by one or more policies that have no matching rule.
struct RuleInfo {
    Symbol kind; // "NetworkPolicy"; empty for the reserved ids
    ObjectName policy;
    weir_direction direction = WEIR_EGRESS;
    std::optional<std::uint32_t> index; // of the rule in the policy; none for isolation
    Origin origin;                      // of the rule; for isolation, of the first policy
    std::vector<ObjectName> isolated_by; // by namespace and name; only for isolation

    bool operator==(const RuleInfo&) const = default;
};

class RuleBook {
public:
    // What the id stands for. Null for an id that is not (or no longer) known, such as one of an
    // earlier agent.
    const RuleInfo* find(std::uint32_t id) const;
};

}  // namespace weir
