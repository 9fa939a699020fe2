// SPDX-License-Identifier: Apache-2.0
// The compiled rules of one policy in one direction: each is made when a pod first needs it, and
// keeps its id for as long as it stays as it is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "policy/compiled_rule.h"
#include "policy/rule_book.h"

namespace weir {

class RuleShelf {
public:
    // Calls make(), which returns a CompiledRule, when it is missing.
    template <typename Make>
    const CompiledRulePtr& at(std::size_t index, Make make) {
        if (rules_.size() <= index) {
            rules_.resize(index + 1);
        }
        if (!rules_[index]) {
            rules_[index] = std::make_shared<const CompiledRule>(make());
        }
        return rules_[index];
    }

    // The policy changed. Rules for which is_same(index) is false are forgotten; the others may
    // have moved in their file: info_of(index).
    template <typename IsSame, typename InfoOf>
    void replace(std::size_t count, RuleBook& book, IsSame is_same, InfoOf info_of) {
        for (std::size_t index = 0; index < rules_.size(); ++index) {
            if (!rules_[index]) {
                continue;
            }
            if (index < count && is_same(index)) {
                book.update(rules_[index]->id, info_of(index));
            } else {
                book.retire(rules_[index]->id);
                rules_[index].reset();
            }
        }
        rules_.resize(std::min(rules_.size(), count));
    }

    void retire(RuleBook& book) {
        for (const auto& rule : rules_) {
            if (rule) {
                book.retire(rule->id);
            }
        }
        rules_.clear();
    }

private:
    std::vector<CompiledRulePtr> rules_;
};

} // namespace weir
