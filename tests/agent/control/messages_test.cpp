// SPDX-License-Identifier: Apache-2.0
// The words of the control API: rules, filters, policies.
#include "agent/control/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "agent/control/policy_text.h"

namespace weir {
namespace {

TEST(RuleMessage, TellsPolicyFromIsolationAndReservedIds) {
    RuleInfo info;
    info.kind = Symbol("NetworkPolicy");
    info.policy = {Symbol("shop"), Symbol("web")};
    info.index = 0;
    info.origin = {Symbol("web.yaml"), 12};
    const auto rule = rule_message(WEIR_RULE_FIRST, &info);
    EXPECT_EQ(rule.basis(), "policy");
    EXPECT_TRUE(rule.has_index());
    EXPECT_EQ(rule.index(), 0u);
    EXPECT_EQ(rule.line(), 12u);

    info.index.reset();
    info.isolated_by = {{Symbol("shop"), Symbol("a")}, {Symbol("shop"), Symbol("b")}};
    const auto isolation = rule_message(WEIR_RULE_FIRST, &info);
    EXPECT_EQ(isolation.basis(), "isolation");
    EXPECT_FALSE(isolation.has_index());
    EXPECT_THAT(isolation.isolated_by(), testing::ElementsAre("shop/a", "shop/b"));

    EXPECT_EQ(rule_message(WEIR_RULE_NONE, nullptr).basis(), "not_isolated");
    EXPECT_EQ(rule_message(WEIR_RULE_OWN_NODE, nullptr).basis(), "own_node");
    EXPECT_EQ(rule_message(4711, nullptr).basis(), "unknown");
}

TEST(FlowMessage, AMalformedPacketHasAReasonAndNoRule) {
    FlowRecord flow;
    flow.reason = WEIR_DROP_SPOOFED_SOURCE;
    flow.event = WEIR_EVENT_DENIED;
    flow.sides[WEIR_EGRESS].is_judged = true;
    const auto message = flow_message(flow);
    EXPECT_EQ(message.verdict(), "deny");
    EXPECT_EQ(message.drop_reason(), "spoofed_source");
    EXPECT_EQ(message.egress().verdict(), "deny");
    EXPECT_FALSE(message.egress().has_rule());
    EXPECT_EQ(message.ingress().verdict(), "");
}

TEST(FlowMessage, AnAuditedFlowPassesAndNamesTheRuleThatWouldDeny) {
    FlowRecord flow;
    flow.event = WEIR_EVENT_ALLOWED;
    flow.stands_for = 3;
    flow.sides[WEIR_INGRESS] = {.is_judged = true,
                                .is_allowed = true,
                                .is_audited = true,
                                .rule_id = WEIR_RULE_NONE,
                                .rule = nullptr};
    flow.sides[WEIR_EGRESS].is_judged = flow.sides[WEIR_EGRESS].is_allowed = true;
    const auto message = flow_message(flow);
    EXPECT_EQ(message.verdict(), "audit");
    EXPECT_EQ(message.event(), "allowed");
    EXPECT_EQ(message.ingress().verdict(), "audit");
    EXPECT_EQ(message.egress().verdict(), "allow");
    EXPECT_EQ(message.stands_for(), 3u);
}

TEST(FilterOf, ReadsEveryField) {
    v1::FlowFilter message;
    message.add_pods("shop/web");
    message.add_pods("db");
    message.set_verdict("deny");
    message.set_port(80);
    message.set_protocol("udp");
    message.mutable_since()->set_seconds(1000);
    const auto filter = filter_of(message);
    ASSERT_TRUE(filter) << filter.error();
    ASSERT_EQ(filter->pods.size(), 2u);
    EXPECT_EQ(filter->pods[0].ns, "shop");
    EXPECT_EQ(filter->pods[1].ns, "");
    EXPECT_EQ(filter->verdict, FlowVerdict::kDeny);
    EXPECT_EQ(filter->port, 80);
    EXPECT_EQ(filter->protocol, IPPROTO_UDP);
    EXPECT_EQ(filter->since.time_since_epoch(), std::chrono::seconds(1000));
}

TEST(FilterOf, NamesTheBadField) {
    v1::FlowFilter message;
    message.set_verdict("maybe");
    EXPECT_THAT(filter_of(message).error(), testing::HasSubstr("verdict 'maybe'"));
    message.set_verdict("");
    message.set_port(65536);
    EXPECT_THAT(filter_of(message).error(), testing::HasSubstr("port 65536"));
    message.set_port(0);
    message.set_protocol("GRE");
    EXPECT_THAT(filter_of(message).error(), testing::HasSubstr("protocol 'GRE'"));
}

TEST(PolicyText, WritesSelectorsAsKubectlDoes) {
    using Operator = LabelRequirement::Operator;
    Selector selector;
    EXPECT_EQ(selector_text(selector), "<all>");
    selector.requirements = {
        {Symbol("app"), Operator::kIn, {Symbol("web")}},
        {Symbol("tier"), Operator::kIn, {Symbol("a"), Symbol("b")}},
        {Symbol("env"), Operator::kNotIn, {Symbol("test")}},
        {Symbol("team"), Operator::kExists, {}},
        {Symbol("legacy"), Operator::kDoesNotExist, {}},
    };
    EXPECT_EQ(selector_text(selector), "app=web,tier in (a,b),env notin (test),team,!legacy");
}

TEST(PolicyText, WritesPeersAndPorts) {
    Peer peer;
    peer.block = IpBlock{*Cidr::parse("10.0.0.0/8"), {*Cidr::parse("10.1.0.0/16")}};
    EXPECT_EQ(peer_text(peer), "10.0.0.0/8 except 10.1.0.0/16");
    peer = {};
    peer.namespaces = Selector{};
    EXPECT_EQ(peer_text(peer), "pods <all> in namespaces <all>");
    EXPECT_EQ(port_text({IPPROTO_TCP, PortRange{8080, 8080}}), "TCP 8080");
    EXPECT_EQ(port_text({IPPROTO_UDP, PortRange{1000, 2000}}), "UDP 1000-2000");
    EXPECT_EQ(port_text({IPPROTO_SCTP, Symbol("web")}), "SCTP web");
    EXPECT_EQ(port_text({IPPROTO_TCP, PortRange{}}), "TCP any port");
}

TEST(PolicyText, WritesTiersAndIdentities) {
    Selector team;
    team.requirements = {{Symbol("team"), LabelRequirement::Operator::kIn, {Symbol("a")}}};
    EXPECT_EQ(selection_text({team, {}}), "pods <all> in namespaces team=a");
    EXPECT_EQ(selection_text({}), "pods <all> in all namespaces");
    EXPECT_EQ(peer_text(TierRule::Peer(NodeSelection{team})), "nodes team=a");
    EXPECT_EQ(peer_text(TierRule::Peer(*Cidr::parse("10.0.0.0/8"))), "10.0.0.0/8");

    using Kind = TextMatch::Kind;
    SourceMatch principal;
    principal.texts = {{Kind::kSuffix, Symbol("/sa/web")}, {Kind::kExact, Symbol("x")}};
    SourceMatch address;
    address.attribute = SourceMatch::Attribute::kAddress;
    address.is_negated = true;
    address.blocks = {*Cidr::parse("10.0.0.0/8")};
    const std::vector<SourceMatch> source = {principal, address};
    EXPECT_EQ(source_text(source), "principal */sa/web or x and not address 10.0.0.0/8");
    EXPECT_EQ(source_text(std::vector<SourceMatch>()), "anyone");
    DestinationMatch ports;
    ports.is_negated = true;
    ports.ports = {80, 443};
    EXPECT_EQ(destination_text({ports}), "not port 80 or 443");
}

} // namespace
} // namespace weir
