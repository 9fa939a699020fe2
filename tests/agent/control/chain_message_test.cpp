// SPDX-License-Identifier: Apache-2.0
// How an explanation is told, from evaluations made by hand.
#include "agent/control/chain_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace weir {
namespace {

RuleInfo rule(const char* kind, const char* name, std::optional<std::uint32_t> index) {
    RuleInfo info;
    info.kind = Symbol(kind);
    info.policy.name = Symbol(name);
    info.index = index;
    return info;
}

TEST(Combine, FollowsTheDefinitionOfAuditAndDryRun) {
    Evaluations evaluations;
    EXPECT_EQ(combine(evaluations), (CombinedVerdict{true, false, WEIR_RULE_NONE}));
    evaluations.all = {.steps = {}, .is_allowed = false, .rule = 20};
    EXPECT_EQ(combine(evaluations), (CombinedVerdict{false, false, 20}));
    evaluations.without_audited = Chain{.steps = {}, .is_allowed = true, .rule = 21};
    EXPECT_EQ(combine(evaluations), (CombinedVerdict{true, true, 20}))
        << "the rule that would deny";
    evaluations.without_audited->is_allowed = false;
    EXPECT_EQ(combine(evaluations), (CombinedVerdict{false, false, 20}));

    Evaluations dry;
    dry.all.rule = 22;
    dry.with_dry_runs = Chain{.steps = {}, .is_allowed = false, .rule = 23};
    EXPECT_EQ(combine(dry), (CombinedVerdict{true, true, 23}));
    dry.with_dry_runs->is_allowed = true;
    EXPECT_EQ(combine(dry), (CombinedVerdict{true, false, 22}));
}

TEST(ExplainedSide, ListsEveryStepAndBothViews) {
    RuleBook book;
    const auto pass = book.add(rule("AdminNetworkPolicy", "gate", 1));
    const auto isolation = book.add(rule("NetworkPolicy", "deny", std::nullopt));
    Evaluations evaluations;
    evaluations.all.is_allowed = false;
    evaluations.all.rule = isolation;
    evaluations.all.steps = {
        {Stage::kAdmin, pass, ChainStep::Action::kPass, Enforcement::kEnforced, true, true, true},
        {Stage::kNetworkPolicy, isolation, ChainStep::Action::kDeny, Enforcement::kAudited, true,
         true, true}};
    evaluations.without_audited = Chain{};
    v1::ExplainedSide side;
    add_evaluations(side, evaluations, book);
    ASSERT_EQ(side.evaluations_size(), 2);
    const auto& all = side.evaluations(0);
    EXPECT_EQ(all.policies(), "all");
    EXPECT_EQ(all.verdict(), "deny");
    ASSERT_EQ(all.steps_size(), 2);
    EXPECT_EQ(all.steps(0).stage(), "Admin");
    EXPECT_EQ(all.steps(0).action(), "pass");
    EXPECT_EQ(all.steps(0).rule().name(), "gate");
    EXPECT_EQ(all.steps(1).rule().basis(), "isolation");
    EXPECT_EQ(all.steps(1).mode(), "audit");
    EXPECT_TRUE(all.steps(1).decides());
    EXPECT_EQ(side.evaluations(1).policies(), "without_audited");
    EXPECT_EQ(side.evaluations(1).verdict(), "allow");
}

TEST(Differences, NameWhatTheKernelHoldsInstead) {
    const Judgement tables{
        .is_allowed = true, .is_audited = false, .rule = 20, .table = 3, .class_id = 5};
    PolicyLookup way;
    way.class_id = 5;
    way.table = 3;
    way.verdict = 20;
    EXPECT_THAT(differences(tables, way), testing::IsEmpty());
    way.class_id = 6;
    way.table = 4;
    way.verdict = 20 | WEIR_VERDICT_DENY;
    EXPECT_THAT(differences(tables, way),
                testing::ElementsAre(testing::HasSubstr("class 6"), testing::HasSubstr("table 4"),
                                     testing::HasSubstr("deny by rule 20")));
    way = {};
    way.class_id = 5;
    way.table = 3;
    way.reason = WEIR_DROP_DANGLING_ID;
    EXPECT_THAT(differences(tables, way), testing::ElementsAre(testing::HasSubstr("the maps say")));
    EXPECT_THAT(differences(tables, CombinedVerdict{true, false, 20}), testing::IsEmpty());
    EXPECT_EQ(differences(tables, CombinedVerdict{true, true, 20}).size(), 1u);
}

TEST(KernelRow, NamesThePortsOfTheInterval) {
    PolicyLookup way;
    way.class_id = 2;
    way.class_from = PolicyLookup::ClassFrom::kPrefixes;
    way.verdict = WEIR_RULE_NONE | WEIR_VERDICT_AUDIT;
    way.first_key = WEIR_PORT_KEY(IPPROTO_TCP, 80);
    way.last_key = WEIR_PORT_KEY(IPPROTO_TCP, 90);
    const auto row = kernel_row_message(way, RuleBook());
    EXPECT_EQ(row.class_from(), "weir_prefixes");
    EXPECT_EQ(row.ports(), "TCP 80-90");
    EXPECT_EQ(row.verdict(), "audit");
    EXPECT_EQ(key_range_text(0, UINT32_MAX), "protocols without ports and all above");
    EXPECT_EQ(key_range_text(WEIR_PORT_KEY(IPPROTO_TCP, 81), WEIR_PORT_KEY(IPPROTO_UDP, 52)),
              "TCP 81 to UDP 52");
}

} // namespace
} // namespace weir
