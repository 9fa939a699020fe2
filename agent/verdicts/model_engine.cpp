// SPDX-License-Identifier: Apache-2.0
// Evaluates the compiled tables as the programs do, with what they let by before they ask policy.
#include "agent/revision.h"
#include "agent/verdicts/engine.h"
#include "loader/map_budget.h"
#include "policy/table_image.h"

namespace weir {
namespace {

class ModelEngine final : public Engine {
public:
    explicit ModelEngine(const Limits& limits) : limits_(limits) {}

    std::size_t max_pods() const override { return SIZE_MAX; }
    Limits limits() const override { return limits_; }

    Result<> apply(const std::vector<LocalPod>&, const Transaction& transaction) override {
        tables_.apply(transaction);
        return {};
    }

    Result<SideAnswer> judge(const SideQuestion& question) override {
        if (question.source == question.destination) {
            return SideAnswer{.is_allowed = true, .rule = WEIR_RULE_OWN_ADDRESS, .error = {}};
        }
        const bool is_egress = question.direction == WEIR_EGRESS;
        const Judgement judgement = tables_.judge(
            question.slot, question.direction, is_egress ? question.destination : question.source,
            question.protocol, question.port);
        if (!is_egress && question.is_from_own_node && !judgement.is_own_node_denied) {
            return SideAnswer{.is_allowed = true, .rule = WEIR_RULE_OWN_NODE, .error = {}};
        }
        return SideAnswer{.is_allowed = judgement.is_allowed, .rule = judgement.rule, .error = {}};
    }

private:
    Limits limits_;
    TableImage tables_;
};

} // namespace

std::unique_ptr<Engine> make_model_engine(std::uint64_t map_memory) {
    return std::make_unique<ModelEngine>(limits_of(sizes_for(map_memory)));
}

} // namespace weir
