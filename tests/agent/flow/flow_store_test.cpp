// SPDX-License-Identifier: Apache-2.0
// The flow store: one record a flow, filters, live readers, bounded memory.
#include "agent/flow/flow_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <chrono>

namespace weir {
namespace {

using std::chrono::seconds;
using std::chrono::system_clock;

const system_clock::time_point kNoon{seconds(1'700'000'000)};

FlowEnd end_at(const char* address, std::uint16_t port, const char* ns, const char* name) {
    return {.address = *Address::parse(address),
            .port = port,
            .pod = {Symbol(ns), Symbol(name)},
            .node = {}};
}

// web:40000 -> db:5432, reported by one side.
FlowRecord news(std::uint8_t type, weir_direction direction, std::uint32_t rule = 20) {
    FlowRecord record;
    record.time = kNoon;
    record.first_seen = kNoon;
    record.kernel_first_seen = 77;
    record.source = end_at("10.0.0.1", 40000, "shop", "web");
    record.destination = end_at("10.0.0.2", 5432, "shop", "db");
    record.protocol = IPPROTO_TCP;
    record.event = type;
    record.reason = type == WEIR_EVENT_DENIED ? WEIR_DROP_POLICY_DENY : WEIR_DROP_NONE;
    record.direction = direction;
    record.packets[0] = 1;
    record.bytes[0] = 60;
    const bool is_verdict = type == WEIR_EVENT_ALLOWED || type == WEIR_EVENT_DENIED;
    if (is_verdict) {
        record.sides[direction] = {.is_judged = true,
                                   .is_allowed = type == WEIR_EVENT_ALLOWED,
                                   .rule_id = rule,
                                   .rule = nullptr};
    }
    return record;
}

std::vector<FlowRecord> all(const FlowStore& store, const FlowFilter& filter = {}) {
    std::uint64_t cursor = 0;
    return store.read(filter, cursor, 1'000'000);
}

TEST(FlowStore, SumsUpWhatRefusalsStandForButNotTheSidesOfAFlow) {
    FlowStore store(1 << 20);
    for (const std::uint64_t times : {1, 50}) {
        auto refusal = news(WEIR_EVENT_DENIED, WEIR_INGRESS);
        refusal.stands_for = times;
        store.add(refusal);
    }
    EXPECT_EQ(all(store).at(0).stands_for, 51u);

    FlowStore let_out(1 << 20); // by its sender's side, which is no refusal
    auto allowed = news(WEIR_EVENT_ALLOWED, WEIR_EGRESS);
    allowed.stands_for = 1;
    let_out.add(allowed);
    for (int i = 0; i < 2; ++i) {
        auto refusal = news(WEIR_EVENT_DENIED, WEIR_INGRESS);
        refusal.stands_for = 1;
        let_out.add(refusal);
    }
    EXPECT_EQ(all(let_out).at(0).stands_for, 2u);

    FlowStore other(1 << 20);
    for (const auto direction : {WEIR_EGRESS, WEIR_INGRESS}) {
        auto side = news(WEIR_EVENT_ALLOWED, direction);
        side.stands_for = 8;
        other.add(side);
    }
    EXPECT_EQ(all(other).at(0).stands_for, 8u);
}

TEST(FlowStore, MergesBothSidesOfAFlow) {
    FlowStore store(1 << 20);
    store.add(news(WEIR_EVENT_ALLOWED, WEIR_EGRESS, 21));
    store.add(news(WEIR_EVENT_ALLOWED, WEIR_INGRESS, 22));
    const auto flows = all(store);
    ASSERT_EQ(flows.size(), 1u);
    EXPECT_EQ(flows[0].sides[WEIR_EGRESS].rule_id, 21u);
    EXPECT_EQ(flows[0].sides[WEIR_INGRESS].rule_id, 22u);
    EXPECT_FALSE(flows[0].is_denied());
}

TEST(FlowStore, DenialAtTheFarSideMakesTheFlowDenied) {
    FlowStore store(1 << 20);
    store.add(news(WEIR_EVENT_ALLOWED, WEIR_EGRESS));
    store.add(news(WEIR_EVENT_DENIED, WEIR_INGRESS));
    const auto flows = all(store);
    ASSERT_EQ(flows.size(), 1u);
    EXPECT_TRUE(flows[0].is_denied());
    EXPECT_TRUE(flows[0].sides[WEIR_EGRESS].is_allowed);
    EXPECT_FALSE(flows[0].sides[WEIR_INGRESS].is_allowed);
}

TEST(FlowStore, UpdateKeepsVerdictsAndRaisesCounters) {
    FlowStore store(1 << 20);
    store.add(news(WEIR_EVENT_ALLOWED, WEIR_EGRESS, 21));
    auto update = news(WEIR_EVENT_UPDATE, WEIR_EGRESS);
    update.packets[0] = 10;
    update.packets[1] = 9;
    update.time += seconds(5);
    store.add(update);
    const auto flows = all(store);
    ASSERT_EQ(flows.size(), 1u);
    EXPECT_EQ(flows[0].packets[0], 10u);
    EXPECT_EQ(flows[0].packets[1], 9u);
    EXPECT_EQ(flows[0].sides[WEIR_EGRESS].rule_id, 21u);
    EXPECT_EQ(flows[0].time, kNoon + seconds(5));
}

TEST(FlowStore, RepeatedRefusalsAddUpAndLaterOnesAreNew) {
    FlowStore store(1 << 20);
    auto refusal = news(WEIR_EVENT_DENIED, WEIR_INGRESS);
    store.add(refusal);
    refusal.time += seconds(1);
    store.add(refusal);
    ASSERT_EQ(all(store).size(), 1u);
    EXPECT_EQ(all(store)[0].packets[0], 2u);
    refusal.time += seconds(3600);
    store.add(refusal);
    EXPECT_EQ(all(store).size(), 2u);
}

TEST(FlowStore, AnotherConnectionBetweenTheSamePortsIsAnotherRecord) {
    FlowStore store(1 << 20);
    store.add(news(WEIR_EVENT_ALLOWED, WEIR_EGRESS));
    store.add(news(WEIR_EVENT_CLOSED, WEIR_EGRESS));
    auto next = news(WEIR_EVENT_ALLOWED, WEIR_EGRESS);
    next.kernel_first_seen = 78;
    store.add(next);
    EXPECT_EQ(all(store).size(), 2u);
}

TEST(FlowStore, DropsTheOldestWhenFull) {
    FlowStore store(0); // the smallest there is
    for (std::uint16_t i = 0; i < 1000; ++i) {
        auto record = news(WEIR_EVENT_ALLOWED, WEIR_EGRESS);
        record.source.port = static_cast<std::uint16_t>(40000 + i);
        store.add(record);
        store.publish();
    }
    const auto flows = all(store);
    ASSERT_EQ(flows.size(), store.capacity());
    EXPECT_EQ(flows.back().source.port, 40999);
    EXPECT_EQ(store.end(), 1000u);
    // The record of the first flow is gone: news of it begins another.
    store.add(news(WEIR_EVENT_UPDATE, WEIR_EGRESS));
    EXPECT_EQ(all(store).back().source.port, 40000);
}

TEST(FlowStore, FindsTheLastThatMatch) {
    FlowStore store(1 << 20);
    for (std::uint16_t i = 0; i < 10; ++i) {
        auto record = news(i % 2 == 0 ? WEIR_EVENT_ALLOWED : WEIR_EVENT_DENIED, WEIR_EGRESS);
        record.source.port = static_cast<std::uint16_t>(40000 + i);
        store.add(record);
    }
    const FlowFilter denied{.verdict = FlowVerdict::kDeny};
    std::uint64_t cursor = store.find_last(denied, 2);
    const auto flows = store.read(denied, cursor, 100);
    ASSERT_EQ(flows.size(), 2u);
    EXPECT_EQ(flows[0].source.port, 40007);
    EXPECT_EQ(flows[1].source.port, 40009);
}

TEST(FlowStore, ReadsInChunks) {
    FlowStore store(1 << 20);
    for (std::uint16_t i = 0; i < 10; ++i) {
        auto record = news(WEIR_EVENT_ALLOWED, WEIR_EGRESS);
        record.source.port = static_cast<std::uint16_t>(40000 + i);
        store.add(record);
    }
    std::uint64_t cursor = 0;
    EXPECT_EQ(store.read({}, cursor, 4).size(), 4u);
    EXPECT_EQ(cursor, 4u);
    EXPECT_EQ(store.read({}, cursor, 100).size(), 6u);
    EXPECT_TRUE(store.read({}, cursor, 100).empty());
}

TEST(FlowStore, LiveReaderSeesEachChangedRecordOncePerBatch) {
    FlowStore store(1 << 20);
    const auto reader = store.subscribe({}, 10);
    store.add(news(WEIR_EVENT_ALLOWED, WEIR_EGRESS));
    store.add(news(WEIR_EVENT_ALLOWED, WEIR_INGRESS));
    store.publish();
    const auto batch = reader->take(std::chrono::milliseconds(0));
    ASSERT_EQ(batch.flows.size(), 1u);
    EXPECT_TRUE(batch.flows[0].sides[WEIR_INGRESS].is_judged);
    EXPECT_EQ(batch.lost, 0u);
}

TEST(FlowStore, SlowLiveReaderIsToldWhatItLost) {
    FlowStore store(1 << 20);
    const auto reader = store.subscribe({}, 3);
    for (std::uint16_t i = 0; i < 5; ++i) {
        auto record = news(WEIR_EVENT_ALLOWED, WEIR_EGRESS);
        record.source.port = static_cast<std::uint16_t>(40000 + i);
        store.add(record);
    }
    store.publish();
    const auto batch = reader->take(std::chrono::milliseconds(0));
    EXPECT_EQ(batch.flows.size(), 3u);
    EXPECT_EQ(batch.lost, 2u);
}

TEST(FlowFilter, EveryConditionHolds) {
    const auto flow = news(WEIR_EVENT_ALLOWED, WEIR_EGRESS);
    EXPECT_TRUE(FlowFilter{}.matches(flow));
    EXPECT_TRUE((FlowFilter{.pods = {{"shop", "web"}}}).matches(flow));
    EXPECT_TRUE((FlowFilter{.pods = {{"", "db"}}}).matches(flow));
    EXPECT_FALSE((FlowFilter{.pods = {{"other", "web"}}}).matches(flow));
    EXPECT_TRUE((FlowFilter{.pods = {{"other", "web"}, {"shop", "db"}}}).matches(flow));
    EXPECT_TRUE((FlowFilter{.ns = "shop"}).matches(flow));
    EXPECT_FALSE((FlowFilter{.ns = "sho"}).matches(flow));
    EXPECT_TRUE((FlowFilter{.verdict = FlowVerdict::kAllow}).matches(flow));
    EXPECT_FALSE((FlowFilter{.verdict = FlowVerdict::kDeny}).matches(flow));
    EXPECT_TRUE((FlowFilter{.port = 5432}).matches(flow));
    EXPECT_FALSE((FlowFilter{.port = 40000}).matches(flow));
    EXPECT_TRUE((FlowFilter{.protocol = IPPROTO_TCP}).matches(flow));
    EXPECT_FALSE((FlowFilter{.protocol = IPPROTO_UDP}).matches(flow));
    EXPECT_TRUE((FlowFilter{.since = kNoon}).matches(flow));
    EXPECT_FALSE((FlowFilter{.since = kNoon + seconds(1)}).matches(flow));
    EXPECT_FALSE((FlowFilter{.ns = "shop", .port = 1}).matches(flow));
}

TEST(Protocol, NamesAndNumbers) {
    EXPECT_EQ(protocol_name(IPPROTO_ICMPV6), "ICMPv6");
    EXPECT_EQ(protocol_name(47), "47");
    EXPECT_EQ(protocol_number("icmpv6"), IPPROTO_ICMPV6);
    EXPECT_EQ(protocol_number("sctp"), IPPROTO_SCTP);
    EXPECT_EQ(protocol_number("47"), 47);
    EXPECT_EQ(protocol_number("256"), std::nullopt);
    EXPECT_EQ(protocol_number("GRE"), std::nullopt);
    EXPECT_EQ(protocol_number(""), std::nullopt);
}

} // namespace
} // namespace weir
