// SPDX-License-Identifier: Apache-2.0
#include "policy/rule_difference.h"

#include <algorithm>
#include <iterator>

namespace weir {
namespace {

// Of rules in two lists: rule, stage, enforcement and what is the subject's own.
bool is_same(const EffectiveRule& a, const EffectiveRule& b) {
    if (a.rule != b.rule || a.stage != b.stage || a.enforcement != b.enforcement ||
        !a.subject != !b.subject) {
        return false;
    }
    return !a.subject ||
           (a.subject->family == b.subject->family && a.subject->ports == b.subject->ports);
}

bool is_same_but_for_rules(const RuleList& a, const RuleList& b) {
    const auto is_equal = [](const Isolation& x, const Isolation& y) {
        return x.network == y.network && x.authorization == y.authorization;
    };
    const auto& left = a.effective();
    const auto& right = b.effective();
    return a.is_unknown() == b.is_unknown() && left.is_present == right.is_present &&
           std::equal(left.isolations.begin(), left.isolations.end(), right.isolations.begin(),
                      is_equal);
}

} // namespace

// Rules between the first and the last difference count as changed, whatever is common among them:
// a change is mostly one stretch.
RuleDifference::RuleDifference(const RuleList& before, const RuleList& after)
    : is_of_all_(!is_same_but_for_rules(before, after)) {
    const auto& a = before.effective().rules;
    const auto& b = after.effective().rules;
    const auto [a_first, b_first] = std::mismatch(a.begin(), a.end(), b.begin(), b.end(), is_same);
    const auto [a_last, b_last] =
        std::mismatch(a.rbegin(), std::make_reverse_iterator(a_first), b.rbegin(),
                      std::make_reverse_iterator(b_first), is_same);
    const auto add = [this](const EffectiveRule& effective) {
        rules_.push_back(effective.rule.get());
        is_of_all_ |= effective.rule->is_any_peer;
    };
    std::for_each(a_first, a_last.base(), add);
    std::for_each(b_first, b_last.base(), add);
}

} // namespace weir
