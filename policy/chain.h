// SPDX-License-Identifier: Apache-2.0
// How one side's verdict comes about: the rules that were considered, tier by tier, and the one
// that decided. For explain; the kernel holds only the result.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "policy/model.h"

namespace weir {

// In the order of evaluation. Authorization follows what the tiers before it allowed.
enum class Stage { kAdmin, kNetworkPolicy, kBaseline, kAuthorizationDeny, kAuthorizationAllow };

struct ChainStep {
    enum class Action { kAllow, kDeny, kPass };

    Stage stage = Stage::kNetworkPolicy;
    std::uint32_t rule = 0; // RuleBook id; of an isolation when no rule of the stage matches
    Action action = Action::kAllow;
    Enforcement enforcement = Enforcement::kEnforced;
    bool is_peer_matching = false;
    bool is_port_matching = false;
    bool is_deciding = false; // of its stage: nothing after it in the stage was looked at
};

// One evaluation. Rules that come after the deciding one of their stage are not listed.
struct Chain {
    std::vector<ChainStep> steps;
    bool is_allowed = true;
    std::uint32_t rule = 0; // RuleBook id of what decided; WEIR_RULE_NONE where nothing did
};

struct Evaluations {
    Chain all; // every policy but dry runs
    // Only where they exist for this pod and direction: without audited policies, with dry runs.
    std::optional<Chain> without_audited;
    std::optional<Chain> with_dry_runs;
};

} // namespace weir
