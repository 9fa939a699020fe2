// SPDX-License-Identifier: Apache-2.0
// The compiler's promises one by one, on the maps as the programs would read them.
#include "policy/compiler.h"

#include <gtest/gtest.h>

#include "policy/table_image.h"
#include "tests/support/cluster.h"

namespace weir::test {
namespace {

class CompilerTest : public testing::Test {
protected:
    void SetUp() override {
        change_.upserts = {
            ns("shop"), ns("ops", {{"team", "ops"}}),
            pod("shop/web", {{"app", "web"}}, {"10.0.0.1", "fd00::1"},
                {container_port("http", 8080)}),
            pod("shop/db", {{"app", "db"}}, {"10.0.0.2"}, {container_port("http", 9090)}),
            pod("ops/probe", {{"app", "probe"}}, {"10.0.1.1"})};
        compiler_.set_local(local(0, "shop/web", {"10.0.0.1", "fd00::1"}));
    }

    void upsert(Object object) { change_.upserts.push_back(std::move(object)); }

    Transaction revise() {
        compiler_.apply(std::exchange(change_, Change{}));
        auto outcome = compiler_.compile();
        if (const auto* excess = std::get_if<DoesNotFit>(&outcome)) {
            ADD_FAILURE() << excess->map;
            return {};
        }
        image_.apply(std::get<Transaction>(outcome));
        image_.erase(compiler_.take_garbage(compiler_.commit()));
        compiler_.reclaim();
        return std::get<Transaction>(outcome);
    }

    bool allows(weir_direction direction, std::string_view peer, std::uint16_t port,
                std::uint8_t protocol = IPPROTO_TCP, std::uint32_t slot = 0) {
        return image_.judge(slot, direction, address(peer), protocol, port).is_allowed;
    }
    bool admits(std::string_view peer, std::uint16_t port, std::uint8_t protocol = IPPROTO_TCP) {
        return allows(WEIR_INGRESS, peer, port, protocol);
    }
    bool sends(std::string_view peer, std::uint16_t port, std::uint8_t protocol = IPPROTO_TCP) {
        return allows(WEIR_EGRESS, peer, port, protocol);
    }

    Change change_;
    Compiler compiler_{{}};
    TableImage image_;
};

TEST_F(CompilerTest, WithoutPolicyEverythingPassesAndAnUnknownPodGetsNothing) {
    compiler_.set_local(local(1, "shop/new", {"10.0.0.9"}));
    revise();
    EXPECT_TRUE(admits("8.8.8.8", 1, IPPROTO_ICMP));
    const auto judged = image_.judge(1, WEIR_INGRESS, address("10.0.0.2"), IPPROTO_TCP, 80);
    EXPECT_FALSE(judged.is_allowed);
    EXPECT_EQ(WEIR_RULE_POD_UNKNOWN, static_cast<int>(judged.rule));
}

TEST_F(CompilerTest, EmptyListsAndMissingOnes) {
    upsert(with_ingress(policy("shop/deny"), {}));
    revise();
    EXPECT_FALSE(admits("10.0.0.2", 80));
    EXPECT_TRUE(sends("10.0.0.2", 80));

    upsert(with_ingress(policy("shop/deny"), {Rule{}}));
    revise();
    EXPECT_TRUE(admits("8.8.8.8", 80));
    EXPECT_TRUE(admits("8.8.8.8", 0, IPPROTO_ICMP));

    upsert(with_ingress(policy("shop/deny"), {Rule{{pods(everything())}, {}, 0}}));
    revise();
    EXPECT_TRUE(admits("10.0.0.2", 80));
    EXPECT_FALSE(admits("10.0.1.1", 80)) << "podSelector alone means the policy's namespace";

    upsert(with_ingress(policy("shop/deny"), {Rule{{namespaces(everything())}, {}, 0}}));
    revise();
    EXPECT_TRUE(admits("10.0.1.1", 80));
    EXPECT_FALSE(admits("8.8.8.8", 80)) << "no pod";
}

TEST_F(CompilerTest, PortsAndProtocols) {
    upsert(with_ingress(policy("shop/p"), {Rule{{}, {tcp(80, 90), udp(53), all_of(132)}, 0}}));
    revise();
    EXPECT_TRUE(admits("8.8.8.8", 80));
    EXPECT_TRUE(admits("8.8.8.8", 90));
    EXPECT_FALSE(admits("8.8.8.8", 79));
    EXPECT_FALSE(admits("8.8.8.8", 91));
    EXPECT_TRUE(admits("8.8.8.8", 53, IPPROTO_UDP));
    EXPECT_FALSE(admits("8.8.8.8", 53));
    EXPECT_TRUE(admits("8.8.8.8", 0, IPPROTO_SCTP));
    EXPECT_TRUE(admits("8.8.8.8", 65535, IPPROTO_SCTP));
    EXPECT_FALSE(admits("8.8.8.8", 0, IPPROTO_ICMP)) << "a rule with ports admits ports only";
    EXPECT_FALSE(admits("8.8.8.8", 0, 47));
}

TEST_F(CompilerTest, NamedPortsAreTheSubjectsForIngressAndThePeersForEgress) {
    upsert(with_egress(with_ingress(policy("shop/p"), {Rule{{}, {named("http")}, 0}}),
                       {Rule{{}, {named("http")}, 0}}));
    revise();
    EXPECT_TRUE(admits("8.8.8.8", 8080));
    EXPECT_FALSE(admits("8.8.8.8", 9090));
    EXPECT_TRUE(sends("10.0.0.2", 9090));
    EXPECT_FALSE(sends("10.0.0.2", 8080));
    EXPECT_FALSE(sends("8.8.8.8", 9090)) << "an address without pod has no named port";

    upsert(pod("shop/db", {{"app", "db"}}, {"10.0.0.2"}, {container_port("http", 1234)}));
    revise();
    EXPECT_TRUE(sends("10.0.0.2", 1234));
    EXPECT_FALSE(sends("10.0.0.2", 9090));
}

TEST_F(CompilerTest, BlocksNestAndExcept) {
    upsert(with_egress(policy("shop/p"),
                       {Rule{{block("10.0.0.0/8", {"10.0.0.0/16", "10.5.0.0/16"})}, {tcp(1)}, 0},
                        Rule{{block("10.0.0.0/24")}, {tcp(2)}, 0}}));
    revise();
    EXPECT_TRUE(sends("10.9.0.1", 1));
    EXPECT_FALSE(sends("10.5.0.1", 1));
    EXPECT_FALSE(sends("10.0.7.1", 1));
    EXPECT_FALSE(sends("10.0.0.200", 1));
    EXPECT_TRUE(sends("10.0.0.200", 2));
    EXPECT_TRUE(sends("10.0.0.2", 2)) << "a pod's address like any other";
    EXPECT_FALSE(sends("11.0.0.1", 1));
}

TEST_F(CompilerTest, AllOfIpv6IsNotIpv4) {
    upsert(with_egress(policy("shop/p"), {Rule{{block("::/0")}, {}, 0}}));
    revise();
    EXPECT_TRUE(sends("2001:db8::1", 80));
    EXPECT_TRUE(sends("fd00::1", 80));
    EXPECT_FALSE(sends("8.8.8.8", 80));
    EXPECT_FALSE(sends("10.0.0.2", 80));
    upsert(with_egress(policy("shop/p"), {Rule{{block("::/0"), block("0.0.0.0/0")}, {}, 0}}));
    revise();
    EXPECT_TRUE(sends("8.8.8.8", 80));
}

TEST_F(CompilerTest, TheFirstRuleByNameAndIndexDecides) {
    upsert(with_ingress(policy("shop/b"), {Rule{{}, {}, 0}}));
    upsert(with_ingress(policy("shop/a"), {Rule{{}, {tcp(1)}, 0}, Rule{{}, {tcp(1), tcp(2)}, 7}}));
    revise();
    const auto rule = [&](std::uint16_t port) {
        const auto id = image_.judge(0, WEIR_INGRESS, address("8.8.8.8"), IPPROTO_TCP, port).rule;
        const auto* info = compiler_.rules().find(id);
        return info->policy.name.get() + std::to_string(info->index.value()) + ":" +
               std::to_string(info->origin.line);
    };
    EXPECT_EQ("a0:0", rule(1));
    EXPECT_EQ("a1:7", rule(2));
    EXPECT_EQ("b0:0", rule(3));
    const auto keys = compiler_.policies_of(0, WEIR_INGRESS);
    EXPECT_EQ((std::vector{ObjectKey{Kind::kNetworkPolicy, name("shop/a")},
                           ObjectKey{Kind::kNetworkPolicy, name("shop/b")}}),
              keys);
    EXPECT_TRUE(compiler_.policies_of(0, WEIR_EGRESS).empty());
}

TEST_F(CompilerTest, DenialNamesAllIsolatingPolicies) {
    upsert(with_ingress(policy("shop/b"), {}));
    upsert(with_ingress(policy("shop/a"), {}));
    revise();
    const auto judged = image_.judge(0, WEIR_INGRESS, address("8.8.8.8"), IPPROTO_TCP, 1);
    const auto* info = compiler_.rules().find(judged.rule);
    ASSERT_NE(nullptr, info);
    EXPECT_EQ(std::nullopt, info->index);
    EXPECT_EQ((std::vector{name("shop/a"), name("shop/b")}), info->isolated_by);
}

TEST_F(CompilerTest, RuleIdsStayWithTheirRules) {
    upsert(with_ingress(policy("shop/p"), {Rule{{}, {tcp(1)}, 0}, Rule{{}, {tcp(2)}, 0}}));
    revise();
    const auto rule = [&](std::uint16_t port) {
        return image_.judge(0, WEIR_INGRESS, address("8.8.8.8"), IPPROTO_TCP, port).rule;
    };
    const auto first = rule(1);
    const auto second = rule(2);
    upsert(with_ingress(policy("shop/p"), {Rule{{}, {tcp(1)}, 9}, Rule{{}, {tcp(2), tcp(3)}, 0}}));
    revise();
    EXPECT_EQ(first, rule(1));
    EXPECT_EQ(9U, compiler_.rules().find(first)->origin.line);
    EXPECT_NE(second, rule(2));
    EXPECT_NE(nullptr, compiler_.rules().find(second)) << "recent flows still name it";
}

TEST_F(CompilerTest, PodsWithEqualRulesShareATable) {
    compiler_.set_local(local(1, "shop/db", {"10.0.0.2"}));
    upsert(with_ingress(policy("shop/p"), {Rule{{}, {tcp(80)}, 0}}));
    revise();
    const auto table = [&](std::uint32_t slot, weir_direction direction) {
        return image_.judge(slot, direction, address("8.8.8.8"), IPPROTO_TCP, 1).table;
    };
    EXPECT_EQ(table(0, WEIR_INGRESS), table(1, WEIR_INGRESS));
    EXPECT_EQ(table(0, WEIR_EGRESS), table(1, WEIR_EGRESS));
    upsert(with_ingress(policy("shop/p"), {Rule{{}, {named("http")}, 0}}));
    revise();
    EXPECT_NE(table(0, WEIR_INGRESS), table(1, WEIR_INGRESS)) << "their own http ports differ";
}

TEST_F(CompilerTest, WhatNoPolicyMentionsCostsNothing) {
    upsert(with_ingress(policy("shop/p"), {Rule{{pods(labelled({{"app", "db"}}))}, {}, 0}}));
    EXPECT_EQ(1U, revise().peers.size());
    upsert(pod("ops/other", {{"app", "db"}}, {"10.0.1.7"}));
    upsert(pod("shop/db", {{"app", "db"}, {"new", "label"}}, {"10.0.0.2"}));
    EXPECT_TRUE(revise().is_empty());
    upsert(with_ingress(policy("ops/nobody-here"), {Rule{{pods(everything())}, {}, 0}}));
    EXPECT_TRUE(revise().is_empty());
}

TEST_F(CompilerTest, AReusedAddressBelongsToTheNewPod) {
    upsert(with_ingress(policy("shop/p"), {Rule{{pods(labelled({{"app", "db"}}))}, {}, 0}}));
    revise();
    EXPECT_TRUE(admits("10.0.0.2", 1));
    upsert(pod("shop/late", {{"app", "other"}}, {"10.0.0.2"}));
    revise();
    EXPECT_FALSE(admits("10.0.0.2", 1));
    change_.erasures.push_back(ObjectKey{Kind::kPod, name("shop/late")});
    revise();
    EXPECT_TRUE(admits("10.0.0.2", 1));
}

TEST_F(CompilerTest, WhatDoesNotFitLeavesTheOldStateAndIsTriedAgain) {
    Limits limits;
    limits.peers = 1;
    compiler_ = Compiler({.limits = limits});
    compiler_.set_local(local(0, "shop/web", {"10.0.0.1"}));
    upsert(with_ingress(policy("shop/p"), {Rule{{pods(labelled({{"app", "db"}}))}, {}, 0}}));
    revise();
    compiler_.apply(Change{{pod("shop/db2", {{"app", "db"}}, {"10.0.0.3"})}, {}});
    const auto outcome = compiler_.compile();
    const auto* excess = std::get_if<DoesNotFit>(&outcome);
    ASSERT_NE(nullptr, excess);
    EXPECT_EQ("weir_peers", excess->map);
    EXPECT_EQ(2U, excess->needed);
    EXPECT_EQ(1U, excess->limit);
    EXPECT_EQ("NetworkPolicy shop/p", excess->policy);
    EXPECT_TRUE(compiler_.judge(0, WEIR_INGRESS, address("10.0.0.2"), 6, 1).is_allowed);
    change_.erasures.push_back(ObjectKey{Kind::kPod, name("shop/db")});
    compiler_.apply(change_);
    EXPECT_TRUE(std::holds_alternative<DoesNotFit>(compiler_.compile()))
        << "the old address is garbage until it is erased";
}

TEST_F(CompilerTest, TheNewPolicyIsNamedWhenItDoesNotFit) {
    Limits limits;
    limits.intervals = 64;
    compiler_ = Compiler({.limits = limits});
    compiler_.set_local(local(0, "shop/web", {"10.0.0.1"}));
    upsert(with_ingress(policy("shop/old"), {Rule{{}, {tcp(80), tcp(82), tcp(84)}, 0}}));
    upsert(with_ingress(policy("shop/other"), {Rule{{}, {tcp(90)}, 0}}));
    revise();
    Rule rule;
    for (std::uint16_t port = 1000; port < 1100; port += 2) {
        rule.ports.push_back(tcp(port));
    }
    upsert(with_ingress(policy("shop/new"), {rule}));
    compiler_.apply(change_);
    const auto outcome = compiler_.compile();
    const auto* excess = std::get_if<DoesNotFit>(&outcome);
    ASSERT_NE(nullptr, excess);
    EXPECT_EQ("weir_rows", excess->map);
    EXPECT_EQ("NetworkPolicy shop/new", excess->policy);
}

TEST_F(CompilerTest, ASuccessorTakesOverWithoutAGap) {
    upsert(with_ingress(policy("shop/p"), {Rule{{pods(labelled({{"app", "db"}}))}, {}, 0}}));
    const Change objects = change_;
    const auto before = revise();
    compiler_ = Compiler({});
    compiler_.adopt(image_.kernel_state());
    compiler_.set_local(local(0, "shop/web", {"10.0.0.1", "fd00::1"}));
    compiler_.apply(objects);
    auto outcome = compiler_.compile();
    auto& transaction = std::get<Transaction>(outcome);
    EXPECT_TRUE(transaction.final_peers.empty()) << "equal classes need no transition";
    EXPECT_GT(transaction.generation, before.generation);
    EXPECT_GT(transaction.rule, before.rule);
    image_.apply(transaction, [&] { return admits("10.0.0.2", 1) && !admits("10.0.1.1", 1); });
    EXPECT_TRUE(admits("10.0.0.2", 1));
    image_.erase(compiler_.take_garbage(compiler_.commit()));
    compiler_.reclaim();
    EXPECT_EQ(compiler_.usage().rules, image_.usage().rules);
    EXPECT_FALSE(admits("10.0.1.1", 1));
}

} // namespace
} // namespace weir::test
