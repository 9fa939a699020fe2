// SPDX-License-Identifier: Apache-2.0
#include "agent/control/chain_message.h"

#include <fmt/format.h>

#include "agent/control/messages.h"
#include "agent/control/policy_text.h"
#include "agent/flow/flow_record.h"

namespace weir {
namespace {

CombinedVerdict verdict_of(const Judgement& judgement) {
    return {judgement.is_allowed, judgement.is_audited, judgement.rule};
}

// A way that ends before a verdict is a drop.
CombinedVerdict verdict_of(const PolicyLookup& way) {
    if (way.reason != WEIR_DROP_NONE) return {false, false, WEIR_RULE_NONE};
    return {(way.verdict & WEIR_VERDICT_DENY) == 0, (way.verdict & WEIR_VERDICT_AUDIT) != 0,
            WEIR_VERDICT_RULE(way.verdict)};
}

const char* action_word(ChainStep::Action action) {
    switch (action) {
        case ChainStep::Action::kAllow:
            return "allow";
        case ChainStep::Action::kDeny:
            return "deny";
        case ChainStep::Action::kPass:
            return "pass";
    }
    return "";
}

v1::Rule rule_of(std::uint32_t id, const RuleBook& rules) {
    return rule_message(id, rules.find(id));
}

void add_evaluation(v1::ExplainedSide& side, const char* policies, const Chain& chain,
                    const RuleBook& rules) {
    auto* message = side.add_evaluations();
    message->set_policies(policies);
    message->set_verdict(chain.is_allowed ? "allow" : "deny");
    *message->mutable_rule() = rule_of(chain.rule, rules);
    for (const auto& step : chain.steps) {
        auto* row = message->add_steps();
        row->set_stage(stage_word(step.stage));
        *row->mutable_rule() = rule_of(step.rule, rules);
        row->set_action(action_word(step.action));
        row->set_mode(enforcement_word(step.enforcement));
        row->set_peer_matches(step.is_peer_matching);
        row->set_port_matches(step.is_port_matching);
        row->set_decides(step.is_deciding);
    }
}

std::string verdict_text(const CombinedVerdict& verdict) {
    return fmt::format("{} by rule {}", verdict_word(verdict), verdict.rule);
}

} // namespace

CombinedVerdict combine(const Evaluations& evaluations) {
    const Chain& all = evaluations.all;
    if (!all.is_allowed) {
        const bool is_audited =
            evaluations.without_audited && evaluations.without_audited->is_allowed;
        return {is_audited, is_audited, all.rule};
    }
    const auto& dry = evaluations.with_dry_runs;
    if (dry && !dry->is_allowed) return {true, true, dry->rule};
    return {true, false, all.rule};
}

const char* verdict_word(const CombinedVerdict& verdict) {
    if (verdict.is_audited) return "audit";
    return verdict.is_allowed ? "allow" : "deny";
}

const char* stage_word(Stage stage) {
    switch (stage) {
        case Stage::kAdmin:
            return "Admin";
        case Stage::kNetworkPolicy:
            return "NetworkPolicy";
        case Stage::kBaseline:
            return "Baseline";
        case Stage::kAuthorizationDeny:
            return "Authorization DENY";
        case Stage::kAuthorizationAllow:
            return "Authorization ALLOW";
    }
    return "";
}

void add_evaluations(v1::ExplainedSide& side, const Evaluations& evaluations,
                     const RuleBook& rules) {
    add_evaluation(side, "all", evaluations.all, rules);
    if (evaluations.without_audited) {
        add_evaluation(side, "without_audited", *evaluations.without_audited, rules);
    }
    if (evaluations.with_dry_runs) {
        add_evaluation(side, "with_dry_runs", *evaluations.with_dry_runs, rules);
    }
}

std::string key_range_text(std::uint32_t first_key, std::uint32_t last_key) {
    const auto first = static_cast<std::uint8_t>(first_key >> 16);
    const auto first_port = static_cast<std::uint16_t>(first_key);
    if (last_key >> 16 == first_key >> 16) {
        if (first == 0) return "protocols without ports";
        return port_range_text(first, first_port, static_cast<std::uint16_t>(last_key));
    }
    const std::string start = first_key == WEIR_PORT_KEY_OTHER
                                  ? "protocols without ports"
                                  : fmt::format("{} {}", protocol_name(first), first_port);
    if (last_key == UINT32_MAX) return start + " and all above";
    return fmt::format("{} to {} {}", start,
                       protocol_name(static_cast<std::uint8_t>(last_key >> 16)), last_key & 0xffff);
}

v1::KernelRow kernel_row_message(const PolicyLookup& way, const RuleBook& rules) {
    v1::KernelRow message;
    message.set_class_id(way.class_id);
    if (way.class_from == PolicyLookup::ClassFrom::kPeers) message.set_class_from("weir_peers");
    if (way.class_from == PolicyLookup::ClassFrom::kPrefixes) {
        message.set_class_from("weir_prefixes");
    }
    message.set_table(way.table);
    message.set_row_from(way.is_default_row ? "weir_tables" : "weir_rules");
    message.set_row(way.row.offset);
    message.set_row_count(way.row.count);
    const CombinedVerdict verdict = verdict_of(way);
    message.set_verdict(verdict_word(verdict));
    if (way.reason != WEIR_DROP_NONE) {
        message.set_drop_reason(drop_word(static_cast<std::uint8_t>(way.reason)));
        return message;
    }
    message.set_interval(way.interval);
    message.set_ports(key_range_text(way.first_key, way.last_key));
    *message.mutable_rule() = rule_of(verdict.rule, rules);
    return message;
}

std::vector<std::string> differences(const Judgement& tables, const PolicyLookup& kernel) {
    std::vector<std::string> found;
    if (kernel.class_id != tables.class_id) {
        found.push_back(fmt::format("the maps give the peer class {}, the compiler says {}",
                                    kernel.class_id, tables.class_id));
    }
    if (kernel.table != tables.table) {
        found.push_back(fmt::format("the slot names table {}, the compiler says {}", kernel.table,
                                    tables.table));
    }
    if (verdict_of(kernel) != verdict_of(tables)) {
        found.push_back(fmt::format("the maps say {}, the compiler's tables say {}",
                                    verdict_text(verdict_of(kernel)),
                                    verdict_text(verdict_of(tables))));
    }
    return found;
}

std::vector<std::string> differences(const Judgement& tables, const CombinedVerdict& objects) {
    if (verdict_of(tables) == objects) return {};
    return {fmt::format("the compiler's tables say {}, the policies themselves say {}",
                        verdict_text(verdict_of(tables)), verdict_text(objects))};
}

} // namespace weir
