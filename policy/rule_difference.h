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

    // Whether the lists may say different things of the peer.
    bool touches(const Signature& peer) const;

private:
    bool is_of_all_ = false; // more than rules differs
    std::vector<const EffectiveRule*> rules_;
};

} // namespace weir
