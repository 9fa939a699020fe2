// SPDX-License-Identifier: Apache-2.0
#include "policy/rule_book.h"

#include <algorithm>
#include <array>
#include <utility>

namespace weir {
namespace {

constexpr std::size_t kRetiredKept = 4096;

} // namespace

const RuleInfo* RuleBook::find(std::uint32_t id) const {
    const auto found = infos_.find(id);
    return found == infos_.end() ? nullptr : &found->second;
}

void RuleBook::start_after(std::uint32_t last_id) {
    last_ = std::max<std::uint32_t>(WEIR_VERDICT_RULE(last_id), WEIR_RULE_FIRST - 1);
}

std::uint32_t RuleBook::add(RuleInfo info) {
    do {
        last_ = WEIR_VERDICT_RULE(last_ + 1);
        last_ = std::max<std::uint32_t>(last_, WEIR_RULE_FIRST);
    } while (infos_.contains(last_));
    infos_.emplace(last_, std::move(info));
    return last_;
}

void RuleBook::update(std::uint32_t id, RuleInfo info) {
    infos_[id] = std::move(info);
}

void RuleBook::retire(std::uint32_t id) {
    retired_.push_back(id);
    if (retired_.size() > kRetiredKept) {
        infos_.erase(retired_.front());
        retired_.pop_front();
    }
}

} // namespace weir
