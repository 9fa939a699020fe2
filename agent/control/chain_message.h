// SPDX-License-Identifier: Apache-2.0
// One side of an explanation as messages: the chain of rules, the way through the maps, and what
// differs between the two.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/control/weir.pb.h"
#include "loader/lookup.h"
#include "policy/compiler.h"

namespace weir {

// What all views together come to, as the tables have to say it.
struct CombinedVerdict {
    bool is_allowed = true;
    bool is_audited = false;
    std::uint32_t rule = WEIR_RULE_NONE;

    bool operator==(const CombinedVerdict&) const = default;
};
CombinedVerdict combine(const Evaluations& evaluations);

// "allow", "deny", "audit".
const char* verdict_word(const CombinedVerdict& verdict);
const char* stage_word(Stage stage);

void add_evaluations(v1::ExplainedSide& side, const Evaluations& evaluations,
                     const RuleBook& rules);
v1::KernelRow kernel_row_message(const PolicyLookup& way, const RuleBook& rules);

// "TCP 80-90", "TCP any port", or with several protocols "TCP 81 to UDP 52".
std::string key_range_text(std::uint32_t first_key, std::uint32_t last_key);

// Sentences, none when all is as it has to be.
std::vector<std::string> differences(const Judgement& tables, const PolicyLookup& kernel);
std::vector<std::string> differences(const Judgement& tables, const CombinedVerdict& objects);

} // namespace weir
