// SPDX-License-Identifier: Apache-2.0
// What few tables ask about peers costs only those tables, and what all ask is stored once a parent
// class.
#include <gtest/gtest.h>

#include <string>

#include "policy/class_ids.h"
#include "policy/table_image.h"
#include "tests/support/cluster.h"

namespace weir::test {
namespace {

constexpr std::uint32_t kTenants = 12;
constexpr std::uint32_t kPods = 8; // of a tenant; the first one is local

std::string pod_name(std::uint32_t tenant, std::uint32_t pod) {
    return "tenant-" + std::to_string(tenant) + "/pod-" + std::to_string(pod);
}
std::string pod_address(std::uint32_t tenant, std::uint32_t pod) {
    return "10.0." + std::to_string(tenant) + "." + std::to_string(pod + 1);
}

// Nobody may send to port 22 from where env is test.
TierPolicy no_ssh_from_tests() {
    TierPolicy policy;
    policy.name.name = Symbol("no-ssh");
    TierRule rule;
    rule.action = TierAction::kDeny;
    rule.peers = {PodSelection{{}, labelled({{"env", "test"}})}};
    rule.ports = {tcp(22)};
    policy.ingress = {rule};
    return policy;
}

class ClassHierarchy : public testing::Test {
protected:
    // In every tenant each pod has a rule of its own that admits it, half of them are test pods.
    void SetUp() override {
        Change change;
        change.upserts.emplace_back(no_ssh_from_tests());
        for (std::uint32_t tenant = 0; tenant < kTenants; ++tenant) {
            const auto space = "tenant-" + std::to_string(tenant);
            change.upserts.emplace_back(ns(space));
            std::vector<Rule> rules;
            for (std::uint32_t number = 0; number < kPods; ++number) {
                const auto app = "app-" + std::to_string(number);
                change.upserts.emplace_back(
                    pod(pod_name(tenant, number),
                        {{"app", app}, {"env", number % 2 == 0 ? "prod" : "test"}},
                        {pod_address(tenant, number)}));
                const auto port = static_cast<std::uint16_t>(20 + number);
                rules.push_back(Rule{{pods(labelled({{"app", app}}))}, {tcp(20, port)}, 0});
            }
            change.upserts.emplace_back(with_ingress(policy(space + "/friends"), rules));
            compiler_.set_local(local(tenant, pod_name(tenant, 0), {pod_address(tenant, 0)}));
        }
        revise(change);
    }

    void revise(const Change& change) {
        compiler_.apply(change);
        const auto outcome = compiler_.compile();
        ASSERT_TRUE(std::holds_alternative<Transaction>(outcome));
        image_.apply(std::get<Transaction>(outcome));
        inserted_ = std::get<Transaction>(outcome).rules.size();
        image_.erase(compiler_.take_garbage(compiler_.commit()));
        compiler_.reclaim();
    }

    bool admits(std::uint32_t tenant, const std::string& peer, std::uint16_t port) {
        return image_.judge(tenant, WEIR_INGRESS, address(peer), IPPROTO_TCP, port).is_allowed;
    }

    Compiler compiler_{{}};
    TableImage image_;
    std::size_t inserted_ = 0; // rules, by the last revision
};

TEST_F(ClassHierarchy, DecidesByOwnAndSharedQuestionsAlike) {
    EXPECT_TRUE(admits(0, pod_address(0, 2), 22));
    EXPECT_FALSE(admits(0, pod_address(0, 2), 23)) << "beyond its rule";
    EXPECT_FALSE(admits(0, pod_address(0, 3), 22)) << "a test pod";
    EXPECT_TRUE(admits(0, pod_address(0, 3), 23));
    EXPECT_FALSE(admits(0, pod_address(1, 3), 23)) << "another tenant's test pod";
    EXPECT_FALSE(admits(0, pod_address(1, 2), 22)) << "another tenant's pod";
}

// The tables times the classes that the tier tells apart would be 12 x 48.
TEST_F(ClassHierarchy, StoresARowForTheParentAndForWhatTheTableItselfAsks) {
    EXPECT_EQ(kTenants * (1 + kPods), compiler_.usage().rules);
}

TEST_F(ClassHierarchy, ANewPodCostsTheTablesThatAskForIt) {
    revise({{pod("tenant-3/late", {{"app", "app-1"}, {"env", "prod"}}, {"10.0.3.100"})}, {}});
    EXPECT_EQ(1U, inserted_);
    EXPECT_TRUE(admits(3, "10.0.3.100", 21));
    EXPECT_FALSE(admits(4, "10.0.3.100", 21));
}

TEST_F(ClassHierarchy, AQuestionThatFewAskNoLongerIsNotShared) {
    Change change;
    for (std::uint32_t tenant = 3; tenant < kTenants; ++tenant) {
        compiler_.erase_local(tenant);
    }
    revise(change);
    EXPECT_TRUE(admits(0, pod_address(0, 3), 23));
    EXPECT_FALSE(admits(0, pod_address(0, 3), 22));
    EXPECT_FALSE(admits(0, pod_address(1, 3), 23));
    EXPECT_TRUE(admits(2, pod_address(2, 2), 22));
    for (std::uint32_t tenant = 0; tenant < 3; ++tenant) {
        compiler_.erase_local(tenant);
    }
    revise(change);
    revise(change);
    EXPECT_EQ(0U, compiler_.usage().rules + compiler_.usage().peers);
}

TEST(ClassIds, TellAParentFromTheClassesBelowIt) {
    ClassIds ids;
    const auto parent = ids.take_parent();
    const auto below = ids.take_below(parent);
    EXPECT_EQ(parent, WEIR_CLASS_PARENT(parent));
    EXPECT_EQ(parent, WEIR_CLASS_PARENT(below));
    EXPECT_NE(parent, below);
    EXPECT_EQ(0U, WEIR_CLASS_PARENT(ids.take_below(WEIR_CLASS_NONE)));
    EXPECT_NE(parent, ids.take_parent());
    ids.give_back(below);
    ids.give_back(parent);
    EXPECT_EQ(parent, ids.take_parent());
    EXPECT_EQ(below, ids.take_below(parent));
}

TEST(ClassIds, KeepOffThoseOfAnEarlierAgent) {
    ClassIds ids;
    ids.reserve(1U << WEIR_CLASS_PARENT_SHIFT);
    ids.reserve(1U << WEIR_CLASS_PARENT_SHIFT | 1);
    EXPECT_EQ(2U << WEIR_CLASS_PARENT_SHIFT, ids.take_parent());
    EXPECT_EQ(1U << WEIR_CLASS_PARENT_SHIFT | 2, ids.take_below(1U << WEIR_CLASS_PARENT_SHIFT));
}

// A blocklist for all pods whose blocks are all told apart.
TEST(ClassIds, WhenTheyRunOutTheRevisionIsRefusedAndNamesThePolicy) {
    CompilerOptions options;
    options.popular_uses = 1;
    Compiler compiler(options);
    Rule rule;
    for (std::uint32_t i = 0; i <= ClassIds::kMostParents; ++i) {
        rule.peers.push_back(
            block("10." + std::to_string(i >> 8) + "." + std::to_string(i & 0xff) + ".0/24"));
    }
    compiler.set_local(local(0, "shop/web", {"192.0.2.1"}));
    compiler.apply({{ns("shop"), pod("shop/web", {}, {"192.0.2.1"}),
                     with_ingress(policy("shop/blocks"), {rule})},
                    {}});
    const auto outcome = compiler.compile();
    const auto* excess = std::get_if<DoesNotFit>(&outcome);
    ASSERT_NE(nullptr, excess);
    EXPECT_EQ("peer classes", excess->map);
    EXPECT_EQ(static_cast<std::uint32_t>(ClassIds::kMostParents), excess->limit);
    EXPECT_EQ("NetworkPolicy shop/blocks", excess->policy);
    rule.peers.pop_back();
    compiler.apply({{with_ingress(policy("shop/blocks"), {rule})}, {}});
    EXPECT_TRUE(std::holds_alternative<Transaction>(compiler.compile()));
}

} // namespace
} // namespace weir::test
