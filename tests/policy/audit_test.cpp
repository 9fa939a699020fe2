// SPDX-License-Identifier: Apache-2.0
// Audited policies and dry runs: what only they deny passes, with the rule that would deny.
#include "tests/policy/compiled_cluster.h"

namespace weir::test {
namespace {

template <typename Policy>
Policy audited(Policy policy) {
    policy.enforcement = Enforcement::kAudited;
    return policy;
}

TierPolicy denying_tier(const char* name, std::vector<Port> ports) {
    TierRule rule;
    rule.is_any_peer = true;
    rule.ports = std::move(ports);
    TierPolicy policy;
    policy.name.name = Symbol(name);
    policy.ingress = {rule};
    return policy;
}

AuthorizationPolicy denying_ports(std::string_view text, std::vector<std::uint16_t> denied) {
    AuthorizationPolicy policy;
    policy.name = name(text);
    policy.is_deny = true;
    policy.rules.resize(1);
    policy.rules[0].operations = {{DestinationMatch{false, std::move(denied), {}}}};
    return policy;
}

class Audit : public CompiledCluster {};

TEST_F(Audit, WhatOnlyAnAuditedPolicyDeniesPassesAndNamesItsRule) {
    upsert(audited(denying_tier("watch", {tcp(80), tcp(81)})));
    upsert(denying_tier("strict", {tcp(81)}));
    revise();
    EXPECT_EQ("audit ClusterNetworkPolicy watch 0", in("8.8.8.8", 80));
    EXPECT_EQ("deny ClusterNetworkPolicy strict 0", in("8.8.8.8", 81));
    EXPECT_EQ("allow", in("8.8.8.8", 82));
    EXPECT_EQ("allow", out("8.8.8.8", 80));
}

TEST_F(Audit, AnAuditedIsolation) {
    upsert(audited(with_ingress(policy("shop/a"), {Rule{{}, {tcp(80)}, 0}})));
    revise();
    EXPECT_EQ("allow NetworkPolicy a 0", in("8.8.8.8", 80));
    EXPECT_EQ("audit NetworkPolicy a isolates", in("8.8.8.8", 81));

    upsert(with_ingress(policy("shop/b"), {Rule{{}, {tcp(82)}, 0}}));
    revise();
    EXPECT_EQ("allow NetworkPolicy a 0", in("8.8.8.8", 80))
        << "denied without a alone: allowed with all";
    EXPECT_EQ("deny NetworkPolicy a isolates", in("8.8.8.8", 81));
    EXPECT_EQ("allow NetworkPolicy b 0", in("8.8.8.8", 82));
}

TEST_F(Audit, WithoutTheAuditedIsolationTheBaselineDecides) {
    auto base = denying_tier("base", {tcp(81)});
    base.tier = Tier::kBaseline;
    upsert(base);
    upsert(audited(with_ingress(policy("shop/a"), {})));
    revise();
    EXPECT_EQ("audit NetworkPolicy a isolates", in("8.8.8.8", 80));
    EXPECT_EQ("deny NetworkPolicy a isolates", in("8.8.8.8", 81));
}

TEST_F(Audit, TurningItOnAndOffKeepsTheRule) {
    upsert(with_ingress(policy("shop/a"), {}));
    revise();
    EXPECT_EQ("deny NetworkPolicy a isolates", in("8.8.8.8"));
    upsert(audited(with_ingress(policy("shop/a"), {})));
    revise();
    EXPECT_EQ("audit NetworkPolicy a isolates", in("8.8.8.8"));
    upsert(with_ingress(policy("shop/a"), {}));
    revise();
    EXPECT_EQ("deny NetworkPolicy a isolates", in("8.8.8.8"));
}

TEST_F(Audit, AnAuditedNamespaceAuditsEveryPolicyForItsPodsAsSubjects) {
    auto base = denying_tier("base", {tcp(1)});
    base.tier = Tier::kBaseline;
    upsert(denying_tier("top", {tcp(80)}));
    upsert(with_egress(policy("shop/p"), {}));
    upsert(denying_ports("shop/a", {81}));
    upsert(base);
    auto shop = ns("shop");
    shop.is_audited = true;
    upsert(shop);
    compiler_.set_local(local(1, "ops/probe", {"10.0.1.1"}));
    revise();
    EXPECT_EQ("audit ClusterNetworkPolicy top 0", in("8.8.8.8", 80));
    EXPECT_EQ("audit AuthorizationPolicy a 0", in("8.8.8.8", 81));
    EXPECT_EQ("audit ClusterNetworkPolicy base 0", in("8.8.8.8", 1));
    EXPECT_EQ("audit NetworkPolicy p isolates", out("8.8.8.8"));
    EXPECT_FALSE(image_.judge(1, WEIR_INGRESS, address("10.0.0.1"), IPPROTO_TCP, 80).is_allowed)
        << "a subject elsewhere";
    upsert(ns("shop"));
    revise();
    EXPECT_EQ("deny ClusterNetworkPolicy top 0", in("8.8.8.8", 80));
}

TEST_F(Audit, ADryRunDecidesNothingAndShowsWhatItWouldDeny) {
    auto dry = denying_ports("shop/a", {80, 81});
    dry.enforcement = Enforcement::kDryRun;
    upsert(dry);
    upsert(with_ingress(policy("shop/p"), {Rule{{}, {tcp(80), tcp(82)}, 0}}));
    revise();
    EXPECT_EQ("audit AuthorizationPolicy a 0", in("8.8.8.8", 80));
    EXPECT_EQ("deny NetworkPolicy p isolates", in("8.8.8.8", 81)) << "denied anyway";
    EXPECT_EQ("allow NetworkPolicy p 0", in("8.8.8.8", 82));

    dry.is_deny = false;
    upsert(dry);
    revise();
    EXPECT_EQ("allow NetworkPolicy p 0", in("8.8.8.8", 80));
    EXPECT_EQ("audit AuthorizationPolicy a isolates", in("8.8.8.8", 82));
}

TEST_F(Audit, EvaluationsExistOnlyWhereTheyMayDiffer) {
    upsert(audited(denying_tier("watch", {tcp(80)})));
    revise();
    const auto ingress = compiler_.evaluate(0, WEIR_INGRESS, address("8.8.8.8"), IPPROTO_TCP, 80);
    ASSERT_TRUE(ingress.without_audited);
    EXPECT_FALSE(ingress.all.is_allowed);
    EXPECT_TRUE(ingress.without_audited->is_allowed);
    EXPECT_FALSE(ingress.with_dry_runs);
    const auto egress = compiler_.evaluate(0, WEIR_EGRESS, address("8.8.8.8"), IPPROTO_TCP, 80);
    EXPECT_FALSE(egress.without_audited);
}

TEST_F(Audit, AChainListsWhatWasConsidered) {
    auto pass = denying_tier("pass", {tcp(80)});
    pass.ingress[0].action = TierAction::kPass;
    upsert(pass);
    upsert(denying_tier("tail", {tcp(80)}));
    upsert(with_ingress(policy("shop/p"), {Rule{{}, {tcp(81)}, 0},
                                           Rule{{pods(everything())}, {}, 0}, Rule{}, Rule{}}));
    revise();
    const auto walked = compiler_.evaluate(0, WEIR_INGRESS, address("8.8.8.8"), IPPROTO_TCP, 80);
    std::string text;
    for (const auto& step : walked.all.steps) {
        const auto* info = compiler_.rules().find(step.rule);
        text += info->policy.name.get() + std::to_string(info->index.value_or(9)) +
                (step.is_peer_matching ? " peer" : "") + (step.is_port_matching ? " port" : "") +
                (step.is_deciding ? " decides" : "") + "; ";
    }
    EXPECT_EQ("pass0 peer port decides; p0 peer; p1 port; p2 peer port decides; ", text);
}

} // namespace
} // namespace weir::test
