// SPDX-License-Identifier: Apache-2.0
#include "policy/compiler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "policy/culprit.h"
#include "policy/desired.h"
#include "policy/evaluation.h"
#include "policy/mirror.h"
#include "policy/plan.h"
#include "policy/planner.h"
#include "policy/port_key.h"

namespace weir {

struct Compiler::State {
    explicit State(const CompilerOptions& chosen) : options(chosen), desired(chosen) {}

    CompilerOptions options;
    Desired desired; // before what refers to its interned values
    Mirror mirror;
    std::optional<Plan> plan;

    void drop_plan() {
        if (plan) {
            plan->discard(mirror);
            plan.reset();
        }
    }
    std::optional<DoesNotFit> check(const Plan& planned) const;
};

Compiler::Compiler(const CompilerOptions& options) : state_(std::make_unique<State>(options)) {}
Compiler::~Compiler() = default;
Compiler::Compiler(Compiler&&) noexcept = default;
Compiler& Compiler::operator=(Compiler&&) noexcept = default;

void Compiler::adopt(const KernelState& kernel) {
    state_->desired.rules().start_after(kernel.rule);
    state_->mirror.adopt(kernel, state_->desired);
}

void Compiler::apply(const Change& change) {
    state_->desired.apply(change);
}
void Compiler::set_local(const LocalPod& pod) {
    state_->desired.set_local(pod);
}
void Compiler::erase_local(std::uint32_t slot) {
    state_->desired.erase_local(slot);
}

std::optional<DoesNotFit> Compiler::State::check(const Plan& planned) const {
    const auto& transaction = planned.transaction;
    const auto rules = static_cast<std::uint32_t>(transaction.rules.size());
    const auto longest = std::max_element(
        transaction.rows.begin(), transaction.rows.end(),
        [](const auto& a, const auto& b) { return a.intervals.size() < b.intervals.size(); });
    const auto row = longest == transaction.rows.end() ? 0 : longest->intervals.size();
    struct Total {
        const char* map;
        std::uint32_t needed;
        std::uint32_t limit;
    };
    const Total totals[] = {
        {"peer classes", planned.is_out_of_classes ? ClassIds::kMostParents + 1 : 0,
         ClassIds::kMostParents},
        {"weir_peers", mirror.peers + planned.new_peers, options.limits.peers},
        {"weir_prefixes", mirror.prefixes + planned.new_prefixes, options.limits.prefixes},
        {"weir_tables", mirror.table_ids.end(), options.limits.tables},
        {"weir_rules", mirror.rules + rules, options.limits.rules},
        {"weir_rows", mirror.rows.end(), options.limits.intervals},
        {"one row of weir_rows", static_cast<std::uint32_t>(row), WEIR_ROW_MAX_INTERVALS},
    };
    for (const auto& total : totals) {
        if (total.needed > total.limit) {
            return DoesNotFit{total.map, total.needed, total.limit,
                              culprit_of(total.map, planned, desired, mirror)};
        }
    }
    return std::nullopt;
}

std::variant<Transaction, DoesNotFit> Compiler::compile() {
    state_->drop_plan();
    state_->desired.settle();
    state_->plan = Planner(state_->desired, state_->mirror).plan();
    if (auto excess = state_->check(*state_->plan)) {
        state_->drop_plan();
        return *std::move(excess);
    }
    return state_->plan->transaction;
}

std::uint64_t Compiler::commit() {
    if (state_->plan) {
        state_->plan->commit(state_->mirror, state_->desired);
        state_->plan.reset();
    }
    return state_->mirror.commits;
}

Garbage Compiler::take_garbage(std::uint64_t up_to_commit) {
    state_->drop_plan();
    return state_->mirror.take_garbage(up_to_commit);
}

void Compiler::reclaim() {
    state_->mirror.reclaim(state_->desired);
}

Judgement Compiler::judge(std::uint32_t slot, weir_direction direction, const Address& peer,
                          std::uint8_t protocol, std::uint16_t port) const {
    const auto& desired = state_->desired;
    const auto& mirror = state_->mirror;
    Judgement judgement;
    const auto* node = desired.addresses().find(peer);
    judgement.class_id = node != nullptr && node->second.in_kernel
                             ? node->second.kernel_class
                             : desired.regions().kernel_class(peer);
    const auto found = desired.slots().find(slot);
    if (found == desired.slots().end()) {
        return judgement;
    }
    judgement.table = WEIR_RULES_TABLE(found->second.kernel_words[direction]);
    const auto table = mirror.tables.find(judgement.table);
    if (table == mirror.tables.end()) {
        return judgement;
    }
    const auto row = mirror.rows.content(table->second.row(judgement.class_id));
    decide(row, protocol, port, judgement);
    return judgement;
}

Evaluations Compiler::evaluate(std::uint32_t slot, weir_direction direction, const Address& peer,
                               std::uint8_t protocol, std::uint16_t port) const {
    const auto& desired = state_->desired;
    const auto found = desired.slots().find(slot);
    if (found == desired.slots().end() || !found->second.lists[direction]) {
        Evaluations nothing;
        nothing.all.is_allowed = false;
        return nothing;
    }
    return weir::evaluate(*found->second.lists[direction], *desired.signature(peer),
                          port_key(protocol, port));
}

const RuleBook& Compiler::rules() const {
    return state_->desired.rules();
}

Usage Compiler::usage() const {
    const auto& mirror = state_->mirror;
    return Usage{mirror.peers, mirror.prefixes, mirror.table_ids.used(), mirror.rules,
                 mirror.rows.used()};
}

std::vector<ObjectKey> Compiler::policies_of(std::uint32_t slot, weir_direction direction) const {
    const auto found = state_->desired.slots().find(slot);
    if (found == state_->desired.slots().end()) {
        return {};
    }
    return state_->desired.policies_of(found->second, direction);
}

} // namespace weir
