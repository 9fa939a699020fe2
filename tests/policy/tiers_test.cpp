// SPDX-License-Identifier: Apache-2.0
// Cluster-scoped tiers: what they select, and in which order they decide with NetworkPolicies.
#include "tests/policy/compiled_cluster.h"

namespace weir::test {
namespace {

using enum TierAction;

TierPolicy tier(std::string_view name, std::uint16_t priority, std::vector<TierRule> ingress,
                std::vector<TierRule> egress = {}) {
    TierPolicy policy;
    policy.name.name = Symbol(std::string(name));
    policy.priority = priority;
    policy.ingress = std::move(ingress);
    policy.egress = std::move(egress);
    return policy;
}

TierPolicy baseline(TierPolicy policy) {
    policy.tier = Tier::kBaseline;
    return policy;
}

TierRule any(TierAction action, std::vector<Port> ports = {}) {
    TierRule rule;
    rule.action = action;
    rule.is_any_peer = true;
    rule.ports = std::move(ports);
    return rule;
}

TierRule of(TierAction action, std::vector<TierRule::Peer> peers, std::vector<Port> ports = {}) {
    TierRule rule = any(action, std::move(ports));
    rule.is_any_peer = false;
    rule.peers = std::move(peers);
    return rule;
}

Node node(std::string_view name, LabelTexts texts, std::initializer_list<std::string> addresses) {
    Node node;
    node.name = Symbol(std::string(name));
    node.labels = labels(texts);
    for (const auto& text : addresses) {
        node.addresses.push_back(address(text));
    }
    return node;
}

ObjectName cluster_name(const char* name) {
    return ObjectName{Symbol{}, Symbol(name)};
}

class Tiers : public CompiledCluster {};

TEST_F(Tiers, TheLowestPriorityDecidesWhateverCameFirst) {
    upsert(tier("late", 7, {any(kDeny)}));
    upsert(tier("early", 3, {any(kAccept, {tcp(80)}), any(kDeny, {tcp(80, 90)})}));
    revise();
    EXPECT_EQ("allow ClusterNetworkPolicy early 0", in("8.8.8.8", 80));
    EXPECT_EQ("deny ClusterNetworkPolicy early 1", in("8.8.8.8", 81));
    EXPECT_EQ("deny ClusterNetworkPolicy late 0", in("8.8.8.8", 91));
    EXPECT_EQ("deny ClusterNetworkPolicy late 0", in("8.8.8.8", 0, IPPROTO_ICMP));
    EXPECT_EQ("allow", out("8.8.8.8")) << "no rule for egress";

    upsert(tier("late", 1, {any(kDeny)}));
    revise();
    EXPECT_EQ("deny ClusterNetworkPolicy late 0", in("8.8.8.8", 80));
}

TEST_F(Tiers, EqualPrioritiesGoByKindAndName) {
    auto admin = tier("a", 5, {any(kDeny)});
    admin.api = TierPolicy::Api::kAdminNetworkPolicy;
    upsert(admin);
    upsert(tier("c", 5, {any(kDeny)}));
    upsert(tier("b", 5, {any(kAccept)}));
    revise();
    EXPECT_EQ("allow ClusterNetworkPolicy b 0", in("8.8.8.8"));
    erase(Kind::kClusterNetworkPolicy, cluster_name("b"));
    erase(Kind::kClusterNetworkPolicy, cluster_name("c"));
    revise();
    EXPECT_EQ("deny AdminNetworkPolicy a 0", in("8.8.8.8"));
}

TEST_F(Tiers, PassLeavesTheTierAndNetworkPolicyIsFinal) {
    upsert(tier("top", 1, {any(kPass, {tcp(80, 81)}), any(kDeny, {tcp(80)})}));
    upsert(tier("next", 2, {any(kDeny)}));
    upsert(baseline(tier("base", 0, {any(kAccept)})));
    upsert(with_ingress(policy("shop/p"), {Rule{{}, {tcp(80)}, 0}}));
    revise();
    EXPECT_EQ("allow NetworkPolicy p 0", in("8.8.8.8", 80));
    EXPECT_EQ("deny NetworkPolicy p isolates", in("8.8.8.8", 81)) << "Baseline is not asked";
    EXPECT_EQ("deny ClusterNetworkPolicy next 0", in("8.8.8.8", 82));
}

TEST_F(Tiers, BaselineDecidesWhereNoNetworkPolicyIsolates) {
    upsert(baseline(tier("base", 0, {any(kPass, {tcp(79)}), any(kDeny)}, {any(kDeny)})));
    upsert(with_egress(policy("shop/p"), {Rule{}}));
    revise();
    EXPECT_EQ("allow", in("8.8.8.8", 79));
    EXPECT_EQ("deny ClusterNetworkPolicy base 1", in("8.8.8.8", 80));
    EXPECT_EQ("allow NetworkPolicy p 0", out("8.8.8.8"));
}

TEST_F(Tiers, SubjectsFollowTheLabelsOfPodsAndNamespaces) {
    auto policy = tier("ops-only", 1, {any(kDeny)});
    policy.subjects.namespaces = labelled({{"team", "ops"}});
    policy.subjects.pods = labelled({{"app", "web"}});
    upsert(policy);
    revise();
    EXPECT_EQ("allow", in("8.8.8.8"));
    upsert(ns("shop", {{"team", "ops"}}));
    revise();
    EXPECT_EQ("deny ClusterNetworkPolicy ops-only 0", in("8.8.8.8"));
    upsert(pod("shop/web", {{"app", "other"}}, {"10.0.0.1"}));
    revise();
    EXPECT_EQ("allow", in("8.8.8.8"));
    policy.subjects.pods = everything();
    upsert(policy);
    revise();
    EXPECT_EQ("deny ClusterNetworkPolicy ops-only 0", in("8.8.8.8"));
    erase(Kind::kNamespace, cluster_name("shop"));
    revise();
    EXPECT_EQ("allow", in("8.8.8.8"));
}

TEST_F(Tiers, PeersArePodsNodesAndNetworks) {
    auto host = pod("ops/host", {{"app", "db"}}, {"172.16.0.1"});
    host.is_host_network = true;
    upsert(host);
    upsert(node("n1", {{"zone", "a"}}, {"172.16.0.1", "fd01::1"}));
    upsert(node("n2", {{"zone", "b"}}, {"172.16.0.2"}));
    upsert(tier("pods", 1, {of(kDeny, {PodSelection{everything(), labelled({{"app", "db"}})}})}));
    upsert(tier("nodes", 2, {of(kDeny, {NodeSelection{labelled({{"zone", "a"}})}})}));
    upsert(tier("nets", 3, {of(kDeny, {cidr("172.16.0.0/24"), cidr("10.0.1.0/24")})}));
    revise();
    EXPECT_EQ("deny ClusterNetworkPolicy pods 0", in("10.0.0.2"));
    EXPECT_EQ("deny ClusterNetworkPolicy nodes 0", in("172.16.0.1")) << "never a pod";
    EXPECT_EQ("deny ClusterNetworkPolicy nodes 0", in("fd01::1"));
    EXPECT_EQ("deny ClusterNetworkPolicy nets 0", in("172.16.0.2"));
    EXPECT_EQ("deny ClusterNetworkPolicy nets 0", in("10.0.1.1")) << "a pod's address too";
    EXPECT_EQ("allow", in("8.8.8.8"));
}

TEST_F(Tiers, NodesMayChangeLabelsAndAddresses) {
    upsert(node("n1", {{"zone", "a"}}, {"172.16.0.1"}));
    upsert(tier("nodes", 2, {}, {of(kDeny, {NodeSelection{labelled({{"zone", "a"}})}})}));
    revise();
    EXPECT_EQ("deny ClusterNetworkPolicy nodes 0", out("172.16.0.1"));
    upsert(node("n1", {{"zone", "a"}}, {"172.16.0.9"}));
    revise();
    EXPECT_EQ("allow", out("172.16.0.1"));
    EXPECT_EQ("deny ClusterNetworkPolicy nodes 0", out("172.16.0.9"));
    upsert(node("n1", {}, {"172.16.0.9"}));
    revise();
    EXPECT_EQ("allow", out("172.16.0.9"));
    upsert(node("n1", {{"zone", "a"}}, {"172.16.0.9"}));
    revise();
    erase(Kind::kNode, cluster_name("n1"));
    revise();
    EXPECT_EQ("allow", out("172.16.0.9"));
    EXPECT_EQ(0U, compiler_.usage().peers) << "nothing is left of it";
}

TEST_F(Tiers, NamedPortsAreTheDestinations) {
    upsert(tier("t", 1, {any(kDeny, {named("http")})}, {any(kDeny, {named("http")})}));
    revise();
    EXPECT_EQ("deny ClusterNetworkPolicy t 0", in("8.8.8.8", 8080));
    EXPECT_EQ("allow", in("8.8.8.8", 9090));
    EXPECT_EQ("deny ClusterNetworkPolicy t 0", out("10.0.0.2", 9090));
    EXPECT_EQ("allow", out("10.0.0.2", 8080));
    EXPECT_EQ("allow", in("8.8.8.8", 0, IPPROTO_ICMP)) << "a rule with ports is about ports";
}

TEST_F(Tiers, ARuleWithoutPeersMatchesNothing) {
    upsert(tier("t", 1, {of(kDeny, {})}));
    revise();
    EXPECT_EQ("allow", in("10.0.0.2"));
}

TEST_F(Tiers, AHostNetworkPodIsNoSubject) {
    auto web = pod("shop/web", {{"app", "web"}}, {"172.16.0.1"});
    web.is_host_network = true;
    upsert(web);
    upsert(tier("t", 1, {any(kDeny)}));
    revise();
    EXPECT_EQ("allow", in("8.8.8.8"));
}

TEST_F(Tiers, AChangeTouchesOnlyWhatItSelects) {
    compiler_.set_local(local(1, "shop/db", {"10.0.0.2"}));
    auto policy = tier("t", 1, {any(kDeny)});
    policy.subjects.pods = labelled({{"app", "db"}});
    revise();
    upsert(policy);
    const auto transaction = revise();
    ASSERT_EQ(1U, transaction.flips.size());
    EXPECT_EQ(1U, transaction.flips[0].slot);
}

TEST_F(Tiers, PoliciesOfAPodInTheOrderOfEvaluation) {
    upsert(baseline(tier("base", 0, {any(kDeny)})));
    upsert(tier("b", 1, {any(kDeny)}));
    upsert(tier("a", 2, {any(kDeny)}));
    upsert(tier("egress", 0, {}, {any(kDeny)}));
    upsert(with_ingress(policy("shop/p"), {}));
    revise();
    std::string text;
    for (const auto& key : compiler_.policies_of(0, WEIR_INGRESS)) {
        text += to_string(key) + ", ";
    }
    EXPECT_EQ(
        "ClusterNetworkPolicy b, ClusterNetworkPolicy a, NetworkPolicy shop/p, "
        "ClusterNetworkPolicy base, ",
        text);
}

} // namespace
} // namespace weir::test
