// SPDX-License-Identifier: Apache-2.0
// What a changed policy leaves as it was is not written again, and what is kept stays right.
#include "tests/policy/compiled_cluster.h"

namespace weir::test {
namespace {

using enum TierAction;

class TableReuse : public CompiledCluster {
protected:
    // Writes that are more than an address's class.
    std::size_t table_writes() {
        const auto transaction = revise();
        return transaction.rules.size() + transaction.default_rows.size() +
               transaction.flips.size();
    }
};

TierRule rule(TierAction action, TierRule::Peer peer, std::vector<Port> ports = {}) {
    TierRule rule;
    rule.action = action;
    rule.peers = {std::move(peer)};
    rule.ports = std::move(ports);
    return rule;
}

TierRule::Peer labelled_pods(LabelTexts texts) {
    return PodSelection{everything(), labelled(texts)};
}

TierPolicy tier(const char* name, std::uint16_t priority, std::vector<TierRule> ingress) {
    TierPolicy policy;
    policy.name.name = Symbol(name);
    policy.priority = priority;
    policy.ingress = std::move(ingress);
    return policy;
}

TEST_F(TableReuse, APassThatNothingAfterItContradictsIsNotWritten) {
    upsert(tier("deny", 20, {rule(kDeny, labelled_pods({{"app", "probe"}}), {tcp(90)})}));
    upsert(tier("pass", 10, {rule(kPass, labelled_pods({{"app", "db"}}), {tcp(80)})}));
    EXPECT_NE(0U, table_writes());

    upsert(tier("pass", 10, {rule(kPass, labelled_pods({{"app", "db"}}), {tcp(81)})}));
    EXPECT_EQ(0U, table_writes());
    upsert(tier("pass", 10, {rule(kPass, labelled_pods({{"app", "probe"}}), {tcp(91)})}));
    EXPECT_EQ(0U, table_writes());
    EXPECT_EQ("deny ClusterNetworkPolicy deny 0", in("10.0.1.1", 90));

    upsert(tier("pass", 10, {rule(kPass, labelled_pods({{"app", "probe"}}), {tcp(90)})}));
    EXPECT_NE(0U, table_writes());
    EXPECT_EQ("allow", in("10.0.1.1", 90));
}

TEST_F(TableReuse, AKeptTableLearnsOfPeersThatOnlyItsNewRulesTellApart) {
    upsert(tier("deny", 20, {rule(kDeny, labelled_pods({{"app", "db"}}))}));
    upsert(tier("pass", 10, {rule(kPass, labelled_pods({{"app", "probe"}}))}));
    revise();
    upsert(tier("pass", 10, {rule(kPass, labelled_pods({{"role", "admin"}}))}));
    EXPECT_EQ(0U, table_writes());

    upsert(pod("shop/db", {{"app", "db"}, {"role", "admin"}}, {"10.0.0.2"}));
    revise();
    EXPECT_EQ("allow", in("10.0.0.2"));
    upsert(pod("shop/db", {{"app", "db"}}, {"10.0.0.2"}));
    revise();
    EXPECT_EQ("deny ClusterNetworkPolicy deny 0", in("10.0.0.2"));
}

// The database's class ends in the revision that changes the rules, and the class that follows it
// is told from it by the other direction alone.
TEST_F(TableReuse, AClassThatEndsIsNoModelForTheNewRules) {
    compiler_.set_local(local(1, "ops/probe", {"10.0.1.1"}));
    const std::vector<TierRule> deny{rule(kDeny, labelled_pods({{"app", "db"}}))};
    upsert(pod("shop/db", {{"app", "db"}, {"role", "x"}}, {"10.0.0.2"}));
    auto policy = tier("deny", 10, deny);
    policy.subjects.namespaces = labelled({{"team", "ops"}});
    upsert(policy);
    upsert(tier("other", 5, {rule(kDeny, labelled_pods({{"app", "probe"}}))}));
    revise();
    EXPECT_EQ("allow", in("10.0.0.2"));

    upsert(tier("deny-all", 11, deny));
    upsert(with_egress(test::policy("shop/p", labelled({{"app", "web"}})),
                       {Rule{{pods(labelled({{"role", "x"}}))}, {}, 0}}));
    revise();
    EXPECT_EQ("deny ClusterNetworkPolicy deny-all 0", in("10.0.0.2"));
    EXPECT_EQ("allow NetworkPolicy p 0", out("10.0.0.2"));
}

TEST_F(TableReuse, ATableWhoseNewListDoesNotFitGoesBackToItsOld) {
    compiler_ = Compiler({.limits = {.rules = 2}});
    image_ = TableImage();
    compiler_.set_local(local(0, "shop/web", {"10.0.0.1", "fd00::1"}));
    upsert(tier("deny", 20, {rule(kDeny, labelled_pods({{"app", "db"}}), {tcp(90)})}));
    upsert(tier("pass", 10, {rule(kPass, labelled_pods({{"app", "db"}}), {tcp(80)})}));
    revise();

    upsert(tier("pass", 10, {rule(kPass, labelled_pods({{"app", "db"}}), {tcp(81)})}));
    upsert(with_egress(policy("shop/p"), {Rule{{pods(labelled({{"app", "db"}}))}, {tcp(1)}, 0},
                                          Rule{{block("10.1.0.0/16")}, {tcp(2)}, 0},
                                          Rule{{block("10.2.0.0/16")}, {tcp(3)}, 0}}));
    compiler_.apply(std::exchange(change_, Change{}));
    EXPECT_TRUE(std::holds_alternative<DoesNotFit>(compiler_.compile()));

    erase(Kind::kNetworkPolicy, name("shop/p"));
    EXPECT_EQ(0U, table_writes());
    EXPECT_EQ("deny ClusterNetworkPolicy deny 0", in("10.0.0.2", 90));
    erase(Kind::kClusterNetworkPolicy, ObjectName{Symbol{}, Symbol("pass")});
    erase(Kind::kClusterNetworkPolicy, ObjectName{Symbol{}, Symbol("deny")});
    compiler_.erase_local(0);
    revise();
    EXPECT_EQ(0U, compiler_.usage().tables + compiler_.usage().rules);
}

} // namespace
} // namespace weir::test
