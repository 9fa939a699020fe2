// SPDX-License-Identifier: Apache-2.0
#include "policy/evaluation.h"

#include <netinet/in.h>

#include <algorithm>

namespace weir {
namespace {

class Walk {
public:
    Walk(const EffectiveRules& effective, const Signature& peer, std::uint32_t position,
         Evaluation evaluation)
        : effective_(effective), peer_(peer), position_(position), evaluation_(evaluation) {}

    Chain chain() {
        walk_network();
        if (chain_.is_allowed && position_ >> 16 == IPPROTO_TCP) {
            walk_authorization();
        }
        return std::move(chain_);
    }

private:
    using Action = ChainStep::Action;

    // The tiers in their order; NetworkPolicies decide for good where they isolate the pod.
    void walk_network() {
        if (is_settled_by(Stage::kAdmin)) {
            return;
        }
        if (const auto& isolation = effective_.isolation(evaluation_).network) {
            settle(Stage::kNetworkPolicy, isolation);
        } else {
            is_settled_by(Stage::kBaseline);
        }
    }

    void walk_authorization() {
        if (is_settled_by(Stage::kAuthorizationDeny)) {
            return;
        }
        const auto network_rule = chain_.rule;
        if (const auto& isolation = effective_.isolation(evaluation_).authorization) {
            settle(Stage::kAuthorizationAllow, isolation);
        }
        // Both allow: the network's rule is the one to name, where there is one.
        if (chain_.is_allowed && network_rule != WEIR_RULE_NONE) {
            chain_.rule = network_rule;
        }
    }

    // A rule of the stage decides, or the isolation denies.
    void settle(Stage stage, const IsolationId& isolation) {
        if (!is_settled_by(stage)) {
            chain_.steps.push_back(
                ChainStep{stage, *isolation, Action::kDeny, {}, true, true, true});
            chain_.is_allowed = false;
            chain_.rule = *isolation;
        }
    }

    // Lists the stage's rules up to the one that decides. False where none does: Pass leaves it.
    bool is_settled_by(Stage stage) {
        for (const auto& each : effective_.rules) {
            if (each.stage != stage || !takes_part(each.enforcement, evaluation_)) {
                continue;
            }
            ChainStep step{stage, each.rule->id, each.rule->action, each.enforcement};
            step.is_peer_matching = each.matches(peer_);
            step.is_port_matching = is_port_of(each);
            step.is_deciding = step.is_peer_matching && step.is_port_matching;
            chain_.steps.push_back(step);
            if (step.is_deciding) {
                return decide(step);
            }
        }
        return false;
    }

    bool decide(const ChainStep& step) {
        if (step.action == Action::kPass) {
            return false;
        }
        chain_.is_allowed = step.action == Action::kAllow;
        chain_.rule = step.rule;
        return true;
    }

    bool is_port_of(const EffectiveRule& rule) const {
        if (rule.rule->is_any_port) {
            return true;
        }
        const auto& ranges = rule.ports();
        const bool is_in_range =
            std::any_of(ranges.begin(), ranges.end(), [this](const KeyRange& range) {
                return range.first <= position_ && position_ <= range.last;
            });
        const auto named = rule.peer_ports(peer_);
        return is_in_range || std::find(named.begin(), named.end(), position_) != named.end();
    }

    const EffectiveRules& effective_;
    const Signature& peer_;
    std::uint32_t position_;
    Evaluation evaluation_;
    Chain chain_;
};

} // namespace

Evaluations evaluate(const RuleList& list, const Signature& peer, std::uint32_t position) {
    Evaluations evaluations;
    if (list.is_unknown()) {
        evaluations.all.is_allowed = false;
        evaluations.all.rule = WEIR_RULE_POD_UNKNOWN;
        return evaluations;
    }
    const auto walk = [&](Evaluation evaluation) {
        return Walk(list.effective(), peer, position, evaluation).chain();
    };
    evaluations.all = walk(Evaluation::kAll);
    if (list.effective().has(Evaluation::kWithoutAudited)) {
        evaluations.without_audited = walk(Evaluation::kWithoutAudited);
    }
    if (list.effective().has(Evaluation::kWithDryRuns)) {
        evaluations.with_dry_runs = walk(Evaluation::kWithDryRuns);
    }
    return evaluations;
}

} // namespace weir
