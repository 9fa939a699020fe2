// SPDX-License-Identifier: Apache-2.0
// Kernel events become records with the names and rules of that moment.
#include "agent/flow/flow_recorder.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <chrono>

#include "agent/inventory.h"

namespace weir {
namespace {

Pod pod(const char* name, const char* address) {
    Pod object;
    object.name = {Symbol("shop"), Symbol(name)};
    object.addresses = {*Address::parse(address)};
    return object;
}

weir_event event(const char* initiator, const char* responder) {
    weir_event event{};
    event.time =
        static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
    event.initiator = Address::parse(initiator)->to_abi();
    event.responder = Address::parse(responder)->to_abi();
    event.initiator_port = htons(40000);
    event.responder_port = htons(80);
    event.protocol = 6;
    event.type = WEIR_EVENT_ALLOWED;
    event.direction = WEIR_EGRESS;
    event.rule = 20;
    return event;
}

class FlowRecorderTest : public testing::Test {
protected:
    FlowRecorderTest()
        : inventory_("n1"),
          recorder_(
              inventory_, [this](std::uint32_t id) { return id == 20 ? &rule_ : nullptr; },
              [](std::uint32_t slot) {
                  return slot == 7 ? ObjectName{Symbol("shop"), Symbol("unborn")} : ObjectName{};
              }) {
        Node node;
        node.name = Symbol("n2");
        node.addresses = {*Address::parse("192.0.2.2")};
        inventory_.apply({.upserts = {pod("web", "10.0.0.1"), node}, .erasures = {}});
    }

    Inventory inventory_;
    RuleInfo rule_;
    FlowRecorder recorder_;
};

TEST_F(FlowRecorderTest, AnAuditedVerdictIsAllowedAndKeepsItsRule) {
    auto news = event("10.0.0.1", "192.0.2.2");
    news.rule |= WEIR_VERDICT_AUDIT;
    const auto record = recorder_.record(news);
    EXPECT_EQ(record.verdict(), FlowVerdict::kAudit);
    const FlowSide& side = record.sides[WEIR_EGRESS];
    EXPECT_TRUE(side.is_allowed);
    EXPECT_TRUE(side.is_audited);
    EXPECT_EQ(side.rule_id, 20u);
    EXPECT_NE(side.rule, nullptr);
    EXPECT_EQ(record.stands_for, 1u);
}

TEST_F(FlowRecorderTest, NamesPodsAndNodes) {
    const auto record = recorder_.record(event("10.0.0.1", "192.0.2.2"));
    EXPECT_EQ(record.source.pod.name.get(), "web");
    EXPECT_EQ(record.source.port, 40000);
    EXPECT_EQ(record.destination.node.get(), "n2");
    EXPECT_TRUE(record.destination.pod.name.get().empty());
    EXPECT_TRUE(record.sides[WEIR_EGRESS].is_allowed);
    EXPECT_FALSE(record.sides[WEIR_INGRESS].is_judged);
    const auto age = std::chrono::system_clock::now() - record.time;
    EXPECT_LT(std::chrono::abs(age), std::chrono::seconds(1));
}

TEST_F(FlowRecorderTest, KeepsTheNameAnAddressHadThen) {
    const auto before = recorder_.record(event("10.0.0.1", "198.51.100.1"));
    inventory_.apply({.upserts = {}, .erasures = {{Kind::kPod, {Symbol("shop"), Symbol("web")}}}});
    const auto after = recorder_.record(event("10.0.0.1", "198.51.100.1"));
    EXPECT_EQ(before.source.pod.name.get(), "web");
    EXPECT_TRUE(after.source.pod.name.get().empty());
}

TEST_F(FlowRecorderTest, NamesAnEndpointWithoutPodObjectButNeverASpoofer) {
    auto unknown = event("10.0.0.9", "10.0.0.1");
    unknown.slot = 7;
    EXPECT_EQ(recorder_.record(unknown).source.pod.name.get(), "unborn");
    unknown.type = WEIR_EVENT_DENIED;
    unknown.reason = WEIR_DROP_SPOOFED_SOURCE;
    EXPECT_TRUE(recorder_.record(unknown).source.pod.name.get().empty());
}

TEST_F(FlowRecorderTest, KeepsTheRuleOfThatMoment) {
    rule_.origin.line = 3;
    const auto before = recorder_.record(event("10.0.0.1", "10.0.0.2"));
    rule_.origin.line = 5;
    recorder_.forget_rules();
    const auto after = recorder_.record(event("10.0.0.1", "10.0.0.2"));
    ASSERT_TRUE(before.sides[WEIR_EGRESS].rule && after.sides[WEIR_EGRESS].rule);
    EXPECT_EQ(before.sides[WEIR_EGRESS].rule->origin.line, 3u);
    EXPECT_EQ(after.sides[WEIR_EGRESS].rule->origin.line, 5u);
}

TEST(Inventory, AnAddressThatMovedStaysTheNewPods) {
    Inventory inventory("n1");
    inventory.apply({.upserts = {pod("old", "10.0.0.1")}, .erasures = {}});
    inventory.apply({.upserts = {pod("new", "10.0.0.1")}, .erasures = {}});
    inventory.apply({.upserts = {}, .erasures = {{Kind::kPod, {Symbol("shop"), Symbol("old")}}}});
    const auto* owner = inventory.owner_of(*Address::parse("10.0.0.1"));
    ASSERT_NE(owner, nullptr);
    EXPECT_EQ(owner->pod.name.get(), "new");
    EXPECT_EQ(inventory.counts()[static_cast<std::size_t>(Kind::kPod)], 1u);
}

} // namespace
} // namespace weir
