// SPDX-License-Identifier: Apache-2.0
// AuthorizationPolicies: whom they are for, what their rules match, and how they go with the
// network policies before them.
#include "tests/policy/compiled_cluster.h"

namespace weir::test {
namespace {

using Attribute = SourceMatch::Attribute;
using Text = TextMatch::Kind;

AuthorizationPolicy authorization(std::string_view text, std::vector<AuthorizationRule> rules) {
    AuthorizationPolicy policy;
    policy.name = name(text);
    policy.rules = std::move(rules);
    for (std::uint32_t index = 0; index < policy.rules.size(); ++index) {
        policy.rules[index].index = index;
    }
    return policy;
}

AuthorizationPolicy denying(AuthorizationPolicy policy) {
    policy.is_deny = true;
    return policy;
}

SourceMatch source(Attribute attribute, Text kind, const char* text) {
    return SourceMatch{attribute, false, {TextMatch{kind, Symbol(text)}}, {}};
}

SourceMatch source(std::initializer_list<std::string> blocks) {
    SourceMatch match{Attribute::kAddress, false, {}, {}};
    for (const auto& text : blocks) {
        match.blocks.push_back(cidr(text));
    }
    return match;
}

template <typename Match>
Match negated(Match match) {
    match.is_negated = true;
    return match;
}

AuthorizationRule from(std::vector<SourceMatch> conjunction) {
    AuthorizationRule rule;
    rule.sources = {std::move(conjunction)};
    return rule;
}

AuthorizationRule to(std::vector<DestinationMatch> conjunction) {
    AuthorizationRule rule;
    rule.operations = {std::move(conjunction)};
    return rule;
}

DestinationMatch ports(std::vector<std::uint16_t> numbers) {
    return DestinationMatch{false, std::move(numbers), {}};
}

DestinationMatch destination(std::string_view block) {
    return DestinationMatch{false, {}, {cidr(block)}};
}

class Authorization : public CompiledCluster {
protected:
    // The verdict for the two pods and the world.
    std::string all() { return in("10.0.0.2") + ", " + in("10.0.1.1") + ", " + in("8.8.8.8"); }
    // Which of db, probe and world a rule from such a source admits: "1" or "0" each.
    std::string admitted(const AuthorizationRule& rule) {
        upsert(authorization("shop/a", {rule}));
        revise();
        std::string text;
        for (const auto* peer : {"10.0.0.2", "10.0.1.1", "8.8.8.8"}) {
            text += in(peer).starts_with("allow") ? '1' : '0';
        }
        return text;
    }
};

TEST_F(Authorization, AnAllowPolicyAdmitsWhatItsRulesMatchAndNoMore) {
    upsert(authorization("shop/a", {from({source(Attribute::kNamespace, Text::kExact, "ops")})}));
    revise();
    EXPECT_EQ(
        "deny AuthorizationPolicy a isolates, allow AuthorizationPolicy a 0, "
        "deny AuthorizationPolicy a isolates",
        all());
    EXPECT_EQ("allow", in("8.8.8.8", 80, IPPROTO_UDP)) << "it judges TCP";
    EXPECT_EQ("allow", in("8.8.8.8", 0, IPPROTO_ICMP));
    EXPECT_EQ("allow", out("8.8.8.8")) << "and ingress";
}

TEST_F(Authorization, DenyPoliciesComeFirst) {
    upsert(authorization("shop/a", {AuthorizationRule{}}));
    upsert(denying(authorization("shop/z", {to({ports({80})})})));
    upsert(denying(authorization("shop/empty", {})));
    revise();
    EXPECT_EQ("deny AuthorizationPolicy z 0", in("8.8.8.8", 80));
    EXPECT_EQ("allow AuthorizationPolicy a 0", in("8.8.8.8", 81));
}

TEST_F(Authorization, AnAllowPolicyWithoutRulesAdmitsNothing) {
    upsert(authorization("shop/b", {}));
    upsert(authorization("shop/a", {}));
    revise();
    EXPECT_EQ("deny AuthorizationPolicy a isolates", in("8.8.8.8"));
    const auto id = image_.judge(0, WEIR_INGRESS, address("8.8.8.8"), IPPROTO_TCP, 80).rule;
    EXPECT_EQ((std::vector{name("shop/a"), name("shop/b")}),
              compiler_.rules().find(id)->isolated_by);
}

TEST_F(Authorization, NetworkPolicyAndAuthorizationBothHaveToAllow) {
    upsert(with_ingress(policy("shop/p"), {Rule{{}, {tcp(80), tcp(81)}, 0}}));
    upsert(authorization("shop/a", {to({ports({80, 82})})}));
    revise();
    EXPECT_EQ("allow NetworkPolicy p 0", in("8.8.8.8", 80)) << "the network's rule is named";
    EXPECT_EQ("deny AuthorizationPolicy a isolates", in("8.8.8.8", 81));
    EXPECT_EQ("deny NetworkPolicy p isolates", in("8.8.8.8", 82));
}

TEST_F(Authorization, PrincipalsMatchWholePrefixSuffixAndPresence) {
    auto probe = pod("ops/probe", {{"app", "probe"}}, {"10.0.1.1"});
    probe.service_account = Symbol("runner");
    upsert(probe);
    const auto principal = [&](Text kind, const char* text) {
        return admitted(from({source(Attribute::kPrincipal, kind, text)}));
    };
    EXPECT_EQ("010", principal(Text::kExact, "cluster.local/ns/ops/sa/runner"));
    EXPECT_EQ("100", principal(Text::kExact, "cluster.local/ns/shop/sa/default"));
    EXPECT_EQ("000", principal(Text::kExact, "cluster.local/ns/ops/sa/run"));
    EXPECT_EQ("010", principal(Text::kPrefix, "cluster.local/ns/ops/"));
    EXPECT_EQ("110", principal(Text::kPrefix, "cluster"));
    EXPECT_EQ("000", principal(Text::kPrefix, "other.domain/"));
    EXPECT_EQ("010", principal(Text::kSuffix, "/sa/runner"));
    EXPECT_EQ("110", principal(Text::kPresent, "")) << "the world has no identity";
}

TEST_F(Authorization, NamespacesAndServiceAccounts) {
    EXPECT_EQ("010", admitted(from({source(Attribute::kNamespace, Text::kPrefix, "op")})));
    EXPECT_EQ("100", admitted(from({source(Attribute::kNamespace, Text::kSuffix, "shop")})));
    EXPECT_EQ("100",
              admitted(from({source(Attribute::kServiceAccount, Text::kExact, "shop/default")})));
    EXPECT_EQ("110",
              admitted(from({source(Attribute::kServiceAccount, Text::kSuffix, "default")})));
}

TEST_F(Authorization, NegatedMatchesHoldForAddressesWithoutIdentity) {
    const auto ops = source(Attribute::kNamespace, Text::kExact, "ops");
    EXPECT_EQ("101", admitted(from({negated(ops)})));
    EXPECT_EQ("001", admitted(from({negated(source(Attribute::kPrincipal, Text::kPresent, ""))})));
    EXPECT_EQ("011", admitted(from({negated(source({"10.0.0.0/24"}))})));
}

TEST_F(Authorization, SourcesAreAlternativesOfConjunctions) {
    const auto pods = source({"10.0.0.0/8"});
    const auto ops = source(Attribute::kNamespace, Text::kExact, "ops");
    EXPECT_EQ("110", admitted(from({pods})));
    EXPECT_EQ("100", admitted(from({pods, negated(ops)})));
    auto rule = from({pods, negated(ops)});
    rule.sources.push_back({source({"8.0.0.0/8"})});
    EXPECT_EQ("101", admitted(rule));
    rule.source_conditions = {negated(source({"8.8.8.8/32"}))};
    EXPECT_EQ("100", admitted(rule));
}

TEST_F(Authorization, AHostNetworkPodHasNoIdentityAndNoPolicies) {
    auto host = pod("ops/host", {}, {"172.16.0.1"});
    host.is_host_network = true;
    upsert(host);
    upsert(authorization("shop/a", {from({source(Attribute::kNamespace, Text::kPresent, "")})}));
    revise();
    EXPECT_EQ("deny AuthorizationPolicy a isolates", in("172.16.0.1"));
    auto web = pod("shop/web", {}, {"172.16.0.1"});
    web.is_host_network = true;
    upsert(web);
    revise();
    EXPECT_EQ("allow", in("8.8.8.8"));
}

TEST_F(Authorization, IdentitiesFollowThePod) {
    upsert(authorization("shop/a",
                         {from({source(Attribute::kServiceAccount, Text::kExact, "ops/runner")})}));
    revise();
    EXPECT_EQ("deny AuthorizationPolicy a isolates", in("10.0.1.1"));
    auto probe = pod("ops/probe", {{"app", "probe"}}, {"10.0.1.1"});
    probe.service_account = Symbol("runner");
    upsert(probe);
    revise();
    EXPECT_EQ("allow AuthorizationPolicy a 0", in("10.0.1.1"));
}

TEST_F(Authorization, PortsAndTheirNegation) {
    upsert(authorization("shop/a", {to({ports({80, 81}), negated(ports({81}))})}));
    revise();
    EXPECT_EQ("allow AuthorizationPolicy a 0", in("8.8.8.8", 80));
    EXPECT_EQ("deny AuthorizationPolicy a isolates", in("8.8.8.8", 81));
    auto rule = to({negated(ports({22}))});
    rule.destination_conditions = {negated(ports({23}))};
    upsert(denying(authorization("shop/a", {rule})));
    revise();
    EXPECT_EQ("allow", in("8.8.8.8", 22));
    EXPECT_EQ("allow", in("8.8.8.8", 23));
    EXPECT_EQ("deny AuthorizationPolicy a 0", in("8.8.8.8", 24));
    EXPECT_EQ("deny AuthorizationPolicy a 0", in("8.8.8.8", 65535));
    EXPECT_EQ("allow", in("8.8.8.8", 24, IPPROTO_UDP));
}

TEST_F(Authorization, DestinationAddressesAreTheSubjectsOfThePeersFamily) {
    AuthorizationRule rule;
    rule.destination_conditions = {destination("10.0.0.1/32")};
    upsert(authorization("shop/a", {rule}));
    revise();
    EXPECT_EQ("allow AuthorizationPolicy a 0", in("8.8.8.8"));
    EXPECT_EQ("deny AuthorizationPolicy a isolates", in("2001:db8::1"));
    rule.destination_conditions = {negated(destination("10.0.0.1/32"))};
    upsert(authorization("shop/a", {rule}));
    revise();
    EXPECT_EQ("deny AuthorizationPolicy a isolates", in("8.8.8.8"));
    EXPECT_EQ("allow AuthorizationPolicy a 0", in("2001:db8::1"));
    compiler_.set_local(local(0, "shop/web", {"10.0.0.7", "fd00::1"}));
    revise();
    EXPECT_EQ("allow AuthorizationPolicy a 0", in("8.8.8.8"));
}

TEST_F(Authorization, ScopesAreNamespaceWorkloadAndRoot) {
    auto elsewhere = authorization("ops/a", {});
    auto other = authorization("shop/other", {});
    other.subjects = labelled({{"app", "db"}});
    upsert(elsewhere);
    upsert(other);
    revise();
    EXPECT_EQ("allow", in("8.8.8.8"));
    auto root = authorization("istio-system/r", {});
    root.subjects = labelled({{"app", "web"}});
    upsert(root);
    revise();
    EXPECT_EQ("deny AuthorizationPolicy r isolates", in("8.8.8.8"));
    erase(Kind::kAuthorizationPolicy, name("istio-system/r"));
    revise();
    EXPECT_EQ("allow", in("8.8.8.8"));
    other.subjects = everything();
    upsert(other);
    revise();
    EXPECT_EQ("deny AuthorizationPolicy other isolates", in("8.8.8.8"));
}

} // namespace
} // namespace weir::test
