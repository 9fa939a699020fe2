// SPDX-License-Identifier: Apache-2.0
// What tells two rule lists apart. A changed policy changes a rule or two of each list that has it:
// of all peers that these do not match, both lists say the same.
#pragma once

#include <vector>

#include "policy/rule_list.h"

namespace weir {

class RuleDifference {
public:
    // Both lists must outlive it.
    RuleDifference(const RuleList& before, const RuleList& after);

    // Whether they may say different things of any peer; otherwise only of those for which one of
    // the peers of rules() holds.
    bool is_of_all() const { return is_of_all_; }
    // In one of the lists only, or elsewhere in their order.
    const std::vector<const CompiledRule*>& rules() const { return rules_; }

private:
    bool is_of_all_ = false;
    std::vector<const CompiledRule*> rules_;
};

} // namespace weir
