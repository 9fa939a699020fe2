// SPDX-License-Identifier: Apache-2.0
// What one pod takes of what all share: unanswered flows, room for events. And the verdict that
// passes but is remembered.
#include <algorithm>

#include "tests/bpf/pod_fixture.h"

namespace weir::test {
namespace {

// The i-th of many flows to the peer; 80 is nobody's port here.
Bytes nth(std::uint32_t i) {
    return to_peer(kSyn, static_cast<std::uint16_t>(i), static_cast<std::uint16_t>(81 + (i >> 16)));
}

std::uint64_t stood_for(const std::vector<weir_event>& events, std::uint8_t type) {
    std::uint64_t sum = 0;
    for (const weir_event& event : events)
        if (event.type == type) sum += event.stands_for;
    return sum;
}

Bytes datagram(const char* from, const char* to, std::uint16_t source, std::uint16_t destination) {
    return frame(ip(from, to, udp(source, destination, 8), {.protocol = kUdp}));
}

TEST_F(PodTest, FloodOfNewFlowsEvictsNoOtherPodsUnansweredFlow) {
    const auto share = static_cast<std::uint32_t>(PodShares::of(MapSizes{}).new_flows);
    ASSERT_TRUE(passes(kOther, WEIR_EGRESS, datagram(kOther4, kPeer4, 40000, 53)));
    ASSERT_TRUE(new_flow(kOther4, 40000, kPeer4, 53, kUdp));
    const std::uint32_t flood = 2 * dataplane().maps().new_flows.max_entries();
    for (std::uint32_t i = 0; i < flood; i++)
        fast_run(kPod, WEIR_EGRESS, nth(i));
    EXPECT_TRUE(new_flow(kOther4, 40000, kPeer4, 53, kUdp)) << "evicted by another pod's flood";
    deny_all(kOther, WEIR_INGRESS);
    EXPECT_TRUE(passes(kOther, WEIR_INGRESS, datagram(kPeer4, kOther4, 53, 40000)));

    // Beyond its share a pod's flows are remembered all the same, as long as there is room.
    ASSERT_GT(flood, share);
    const std::uint32_t last = flood - 1;
    deny_all(kPod, WEIR_INGRESS);
    EXPECT_TRUE(receives(from_peer(kSyn | kAck, static_cast<std::uint16_t>(81 + (last >> 16)),
                                   static_cast<std::uint16_t>(last))));
}

TEST_F(PodTest, AnsweredFlowsTakeNothingOfTheShare) {
    const auto share = static_cast<std::uint32_t>(PodShares::of(MapSizes{}).new_flows);
    for (std::uint32_t i = 0; i < 2 * share; i++) {
        const auto port = static_cast<std::uint16_t>(20000 + i);
        fast_run(kPod, WEIR_EGRESS, to_peer(kSyn, port));
        fast_run(kPod, WEIR_INGRESS, from_peer(kSyn | kAck, 80, port));
    }
    ASSERT_TRUE(sends(to_peer(kSyn, 10000)));
    EXPECT_TRUE(new_flow(kPod4, 10000, kPeer4, 80)) << "went where the crowd is";
}

// The i-th flow, opened and answered.
struct Answered {
    Bytes request;
    Bytes reply;
};
Answered nth_answered(std::uint32_t i) {
    const auto own = static_cast<std::uint16_t>(i);
    const auto peers = static_cast<std::uint16_t>(81 + (i >> 16));
    return {to_peer(kSyn, own, peers), from_peer(kSyn | kAck, peers, own)};
}

TEST_F(PodTest, FloodOfAnsweredFlowsEvictsNoOtherPodsAnsweredFlow) {
    constexpr std::uint16_t quiet = 500;
    for (std::uint16_t i = 0; i < quiet; i++) {
        fast_run(kOther, WEIR_EGRESS,
                 datagram(kOther4, kPeer4, static_cast<std::uint16_t>(40000 + i), 53));
        fast_run(kOther, WEIR_INGRESS,
                 datagram(kPeer4, kOther4, 53, static_cast<std::uint16_t>(40000 + i)));
    }
    const std::uint32_t flood = dataplane().maps().flows.max_entries() * 5 / 4;
    for (std::uint32_t i = 0; i < flood; i++) {
        const Answered packets = nth_answered(i);
        fast_run(kPod, WEIR_EGRESS, packets.request);
        fast_run(kPod, WEIR_INGRESS, packets.reply);
    }
    int left = 0;
    for (std::uint16_t i = 0; i < quiet; i++)
        left += flow(kOther4, static_cast<std::uint16_t>(40000 + i), kPeer4, 53, kUdp).has_value();
    EXPECT_EQ(left, quiet) << "evicted by another pod's flood";

    // What the flood's own pod has beyond its share goes on as well, as long as there is room.
    deny_all(kPod, WEIR_INGRESS);
    EXPECT_TRUE(receives(from_peer(kAck, static_cast<std::uint16_t>(81 + ((flood - 1) >> 16)),
                                   static_cast<std::uint16_t>(flood - 1))));
}

TEST_F(PodTest, FloodOfFragmentsEvictsNoOtherPodsDatagram) {
    const auto fragment = [](const char* from, std::uint32_t id, bool is_first) {
        return frame(ip(from, kPeer4, is_first ? udp(40000, 53, 8) : Bytes(16),
                        {.protocol = kUdp,
                         .fragment_offset = static_cast<std::uint16_t>(is_first ? 0 : 16),
                         .more_fragments = is_first,
                         .identification = id}));
    };
    ASSERT_TRUE(passes(kOther, WEIR_EGRESS, fragment(kOther4, 1, true)));
    const std::uint32_t flood = 3 * dataplane().maps().fragments.max_entries();
    for (std::uint32_t id = 0; id < flood; id++)
        fast_run(kPod, WEIR_EGRESS, fragment(kPod4, id, true));
    EXPECT_TRUE(passes(kOther, WEIR_EGRESS, fragment(kOther4, 1, false)))
        << "evicted by another pod's flood";
    EXPECT_TRUE(sends(fragment(kPod4, 0, false))) << "within its share";
    EXPECT_TRUE(sends(fragment(kPod4, flood - 1, false))) << "beyond it";
    EXPECT_FALSE(sends(fragment(kPod4, flood, false))) << "never begun";
}

TEST_F(PodTest, FlowThatComesBackBeyondTheShareReplacesItsOldEntry) {
    // Opened and closed by the peer; then the pod opens one between the same ports.
    ASSERT_TRUE(receives(from_peer(kSyn, 80, 10000)));
    ASSERT_TRUE(receives(from_peer(kRst, 80, 10000)));
    const auto share = static_cast<std::uint32_t>(PodShares::of(MapSizes{}).new_flows);
    for (std::uint32_t i = 0; i <= share; i++)
        fast_run(kPod, WEIR_EGRESS, nth(i));
    ASSERT_TRUE(sends(to_peer(kSyn, 10000, 80)));
    EXPECT_FALSE(new_flow(kPod4, 10000, kPeer4, 80)) << "it is where the crowd is";
    deny_all(kPod, WEIR_INGRESS);
    EXPECT_TRUE(receives(from_peer(kSyn | kAck, 80, 10000))) << "judged as the peer's";
}

TEST_F(PodTest, FloodOfDenialsIsCountedExactlyAndReportedInSamples) {
    deny_all(kPod, WEIR_EGRESS);
    const std::uint32_t flood = 20 * PodShares::of(MapSizes{}).events;
    const std::uint64_t before = counter(WEIR_EGRESS, WEIR_DROP_POLICY_DENY).packets;
    for (std::uint32_t i = 0; i < flood; i++)
        fast_run(kPod, WEIR_EGRESS, nth(i));
    EXPECT_EQ(counter(WEIR_EGRESS, WEIR_DROP_POLICY_DENY).packets - before, flood);
    ASSERT_FALSE(sends(to_peer(kSyn))); // takes in the events
    const auto reported = static_cast<std::uint64_t>(
        std::ranges::count(events(), WEIR_EVENT_DENIED, &weir_event::type));
    EXPECT_GE(reported, PodShares::of(MapSizes{}).events);
    EXPECT_LT(reported, flood / 2);
    const std::uint64_t total = stood_for(events(), WEIR_EVENT_DENIED);
    EXPECT_LE(total, flood + 1u);
    EXPECT_GT(total, flood - 64u) << "at most one sample's worth waits";

    // The other pod's are reported one by one meanwhile.
    deny_all(kOther, WEIR_EGRESS);
    const std::size_t count = events().size();
    ASSERT_FALSE(passes(kOther, WEIR_EGRESS, datagram(kOther4, kPeer4, 40000, 53)));
    ASSERT_EQ(events().size(), count + 1);
    EXPECT_EQ(events().back().stands_for, 1u);
}

TEST_F(PodTest, AuditedDenialPassesAndIsCountedWithItsRule) {
    allow(kPod, WEIR_EGRESS, {{0, WEIR_VERDICT_AUDIT | kDenied}});
    const auto audited = [this] {
        return dataplane()
            .counters()
            ->at(std::size_t{WEIR_COUNTER_AUDITED} + std::size_t{WEIR_EGRESS})
            .packets;
    };
    ASSERT_TRUE(sends(to_peer(kSyn)));
    EXPECT_EQ(audited(), 1u);
    ASSERT_FALSE(events().empty());
    EXPECT_EQ(events().back().type, WEIR_EVENT_ALLOWED);
    EXPECT_EQ(events().back().rule, WEIR_VERDICT_AUDIT | kDenied);
    EXPECT_TRUE(receives(from_peer(kSyn | kAck)));
    EXPECT_TRUE(sends(to_peer(kAck))) << "established: every packet counts";
    EXPECT_EQ(audited(), 3u) << "both directions of travel belong to the side";
    allow_all(kPod, WEIR_EGRESS);
    EXPECT_TRUE(sends(to_peer(kAck)));
    EXPECT_EQ(audited(), 3u);
}

} // namespace
} // namespace weir::test
