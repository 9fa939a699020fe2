// SPDX-License-Identifier: Apache-2.0
// Connection tracking: who opened a flow, what its packets may do, what a change of policy does.
#include <arpa/inet.h>

#include "tests/bpf/pod_fixture.h"

namespace weir::test {
namespace {

TEST_F(PodTest, RepliesOfAnAllowedFlowPass) {
    deny_all(kPod, WEIR_INGRESS);
    ASSERT_TRUE(sends(to_peer(kSyn)));
    EXPECT_TRUE(receives(from_peer(kSyn | kAck)));
    EXPECT_TRUE(sends(to_peer(kAck)));
    EXPECT_TRUE(receives(from_peer(kAck | kPsh)));
    EXPECT_FALSE(receives(from_peer(kSyn, 80, 40001))) << "another port was never asked";
}

// An answer that nobody remembers asking for: its entry may have been evicted. It is judged as what
// the pod itself would have opened.
TEST_F(PodTest, UnaskedAnswerIsJudgedAsThePodsOwnConnection) {
    deny_all(kPod, WEIR_INGRESS);
    allow_port(kPod, WEIR_EGRESS, kTcp, 80);
    EXPECT_TRUE(receives(from_peer(kSyn | kAck, 80, 40001)));
    EXPECT_FALSE(receives(from_peer(kSyn | kAck, 81, 40001)));
    EXPECT_FALSE(receives(frame(ip(kPeer4, kPod4, icmp(0, 0, 5), {.protocol = kIcmp}))));
    EXPECT_FALSE(receives(frame(ip(kPeer4, kPod4, sctp(80, 40000, 2), {.protocol = kSctp}))));
}

TEST_F(PodTest, RepliesPassForUdpSctpAndEcho) {
    deny_all(kPod, WEIR_INGRESS);
    const auto pair = [](const Bytes& request, const Bytes& reply, std::uint8_t protocol) {
        return std::pair(frame(ip(kPod4, kPeer4, request, {.protocol = protocol})),
                         frame(ip(kPeer4, kPod4, reply, {.protocol = protocol})));
    };
    for (const auto& [request, reply] : {pair(udp(40000, 53), udp(53, 40000), kUdp),
                                         pair(sctp(40000, 80, 1), sctp(80, 40000, 2), kSctp),
                                         pair(icmp(8, 0, 77), icmp(0, 0, 77), kIcmp)}) {
        ASSERT_TRUE(sends(request));
        EXPECT_TRUE(receives(reply));
    }
}

TEST_F(PodTest, UnaskedDatagramIsNoReply) {
    deny_all(kPod, WEIR_INGRESS);
    EXPECT_FALSE(receives(frame(ip(kPeer4, kPod4, udp(53, 40000), {.protocol = kUdp}))));
}

TEST_F(PodTest, OneEntryServesBothDirectionsAndMovesWhenAnswered) {
    ASSERT_TRUE(sends(to_peer(kSyn)));
    EXPECT_FALSE(flow(kPod4, 40000, kPeer4, 80));
    ASSERT_TRUE(new_flow(kPod4, 40000, kPeer4, 80));
    ASSERT_TRUE(receives(from_peer(kSyn | kAck)));
    EXPECT_FALSE(new_flow(kPod4, 40000, kPeer4, 80));
    ASSERT_TRUE(sends(to_peer(kAck)));
    const auto entry = flow(kPod4, 40000, kPeer4, 80);
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->packets[0], 2u);
    EXPECT_EQ(entry->packets[1], 1u);
    EXPECT_EQ(entry->bytes[0], 2u * 54);
    EXPECT_TRUE(entry->state & WEIR_FLOW_ANSWERED);
}

TEST_F(PodTest, SameNodeFlowIsCountedOnceAndJudgedOnBothSides) {
    allow(kPod, WEIR_EGRESS, {{0, 50}});
    allow(kOther, WEIR_INGRESS, {{0, 51}});
    const Bytes there = frame(ip(kPod4, kOther4, tcp(40000, 80, kSyn)),
                              {.destination = {2, 0, 0, 0, 0, 3}, .vlans = {}});
    const Bytes back = frame(ip(kOther4, kPod4, tcp(80, 40000, kSyn | kAck)));
    ASSERT_TRUE(passes(kPod, WEIR_EGRESS, there, kOwnNode));
    ASSERT_TRUE(passes(kOther, WEIR_INGRESS, there, kElsewhere));
    ASSERT_TRUE(passes(kOther, WEIR_EGRESS, back, kOwnNode));
    ASSERT_TRUE(passes(kPod, WEIR_INGRESS, back, kElsewhere));
    const auto entry = flow(kPod4, 40000, kOther4, 80);
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->packets[0], 1u);
    EXPECT_EQ(entry->packets[1], 1u);
    EXPECT_EQ(WEIR_RULES_TABLE(entry->sides[WEIR_EGRESS]), 50u);
    EXPECT_EQ(WEIR_RULES_TABLE(entry->sides[WEIR_INGRESS]), 51u);

    deny_all(kOther, WEIR_INGRESS);
    EXPECT_TRUE(passes(kPod, WEIR_EGRESS, there, kOwnNode));
    EXPECT_FALSE(passes(kOther, WEIR_INGRESS, there, kElsewhere)) << "the other side's own verdict";
    EXPECT_FALSE(passes(kOther, WEIR_EGRESS, back, kOwnNode)) << "its replies go with it";
}

TEST_F(PodTest, PolicyChangeReachesEstablishedFlowsAtOnceAndBack) {
    ASSERT_TRUE(sends(to_peer(kSyn)));
    ASSERT_TRUE(receives(from_peer(kSyn | kAck)));
    deny_all(kPod, WEIR_EGRESS);
    EXPECT_FALSE(sends(to_peer(kAck)));
    EXPECT_FALSE(receives(from_peer(kAck))) << "replies are the same side's";
    ASSERT_TRUE(flow(kPod4, 40000, kPeer4, 80)) << "the entry stays and keeps its orientation";
    EXPECT_EQ(flow(kPod4, 40000, kPeer4, 80)->packets[0], 1u) << "dropped packets do not count";
    allow_all(kPod, WEIR_EGRESS);
    deny_all(kPod, WEIR_INGRESS);
    EXPECT_TRUE(sends(to_peer(kAck)));
    EXPECT_TRUE(receives(from_peer(kAck)));
}

TEST_F(PodTest, DenialsMakeNoEntry) {
    deny_all(kPod, WEIR_EGRESS);
    EXPECT_FALSE(sends(to_peer(kSyn)));
    EXPECT_FALSE(flow(kPod4, 40000, kPeer4, 80));
    EXPECT_FALSE(new_flow(kPod4, 40000, kPeer4, 80));
}

TEST_F(PodTest, SynFromTheResponderIsAConnectionOfItsOwn) {
    deny_all(kPod, WEIR_INGRESS);
    ASSERT_TRUE(sends(to_peer(kSyn)));
    ASSERT_TRUE(receives(from_peer(kSyn | kAck)));
    EXPECT_FALSE(receives(from_peer(kSyn))) << "not a reply: the peer opens a connection";
    EXPECT_TRUE(receives(from_peer(kAck))) << "and the first one is none the worse";
}

TEST_F(PodTest, SegmentFromTheMiddleIsOrientedByItsPorts) {
    // The pod serves port 80; nobody remembers the connection.
    allow_port(kPod, WEIR_INGRESS, kTcp, 80);
    deny_all(kPod, WEIR_EGRESS);
    EXPECT_TRUE(receives(from_peer(kAck, 40000, 80)));
    EXPECT_TRUE(sends(to_peer(kAck, 80, 40000)));
    EXPECT_TRUE(sends(to_peer(kAck, 80, 40001))) << "the server speaks first";
    EXPECT_FALSE(sends(to_peer(kAck, 40002, 80))) << "the pod as client may not";
    EXPECT_FALSE(receives(from_peer(kAck, 40003, 81)));
}

TEST_F(PodTest, SegmentBetweenAmbiguousPortsPassesOnlyIfBothOrientationsAllow) {
    EXPECT_TRUE(sends(to_peer(kAck, 40000, 50000)));
    EXPECT_FALSE(new_flow(kPod4, 40000, kPeer4, 50000)) << "nothing is known, nothing is kept";
    deny_all(kPod, WEIR_INGRESS);
    EXPECT_FALSE(sends(to_peer(kAck, 40000, 50000)));
    allow_all(kPod, WEIR_INGRESS);
    deny_all(kPod, WEIR_EGRESS);
    EXPECT_FALSE(sends(to_peer(kAck, 40000, 50000)));
}

TEST_F(PodTest, ConnectionCloses) {
    ASSERT_TRUE(sends(to_peer(kSyn)));
    ASSERT_TRUE(receives(from_peer(kSyn | kAck)));
    ASSERT_TRUE(sends(to_peer(kFin | kAck)));
    EXPECT_FALSE(flow(kPod4, 40000, kPeer4, 80)->state & WEIR_FLOW_CLOSED);
    ASSERT_TRUE(receives(from_peer(kFin | kAck)));
    EXPECT_TRUE(flow(kPod4, 40000, kPeer4, 80)->state & WEIR_FLOW_CLOSED);
    EXPECT_TRUE(sends(to_peer(kAck))) << "the last acknowledgement";
    int closed = 0;
    for (const weir_event& event : events())
        closed += event.type == WEIR_EVENT_CLOSED;
    EXPECT_EQ(closed, 1);

    ASSERT_TRUE(sends(to_peer(kSyn))) << "the ports are used again";
    EXPECT_FALSE(flow(kPod4, 40000, kPeer4, 80));
    EXPECT_EQ(new_flow(kPod4, 40000, kPeer4, 80)->packets[0], 1u);
    ASSERT_TRUE(receives(from_peer(kRst | kAck)));
    EXPECT_TRUE(flow(kPod4, 40000, kPeer4, 80)->state & WEIR_FLOW_CLOSED);
}

TEST_F(PodTest, FloodOfNewFlowsEvictsNoAnsweredOne) {
    ASSERT_TRUE(sends(to_peer(kSyn, 40000, 80)));
    ASSERT_TRUE(receives(from_peer(kSyn | kAck, 80, 40000)));
    const std::uint32_t flood = 2 * dataplane().maps().new_flows.max_entries();
    for (std::uint32_t i = 0; i < flood; i++) {
        fast_run(kPod, WEIR_EGRESS,
                 to_peer(kSyn, static_cast<std::uint16_t>(i),
                         static_cast<std::uint16_t>(81 + (i >> 16))));
    }
    deny_all(kPod, WEIR_INGRESS);
    EXPECT_TRUE(flow(kPod4, 40000, kPeer4, 80));
    EXPECT_TRUE(receives(from_peer(kAck, 80, 40000)));
}

TEST_F(PodTest, FragmentsFollowTheirFirst) {
    allow_port(kPod, WEIR_EGRESS, kUdp, 53);
    for (const auto& [pod, peer] : {std::pair(kPod4, kPeer4), std::pair(kPod6, kPeer6)}) {
        const auto fragment = [&](const Bytes& payload, std::uint16_t offset, bool more,
                                  std::uint32_t id) {
            return frame(ip(pod, peer, payload,
                            {.protocol = kUdp,
                             .fragment_offset = offset,
                             .more_fragments = more,
                             .identification = id,
                             .extensions = {},
                             .extension_types = {}}));
        };
        const Bytes later(64, 'x');
        EXPECT_FALSE(sends(fragment(later, 64, false, 7))) << "before its first";
        EXPECT_EQ(last_reason(), WEIR_DROP_FRAGMENT_ORPHAN);
        EXPECT_TRUE(sends(fragment(udp(40000, 53, 56), 0, true, 7)));
        EXPECT_TRUE(sends(fragment(later, 64, true, 7)));
        EXPECT_TRUE(sends(fragment(later, 128, false, 7)));
        EXPECT_FALSE(sends(fragment(later, 64, false, 8))) << "of another datagram";
        EXPECT_FALSE(sends(fragment(udp(40000, 54, 56), 0, true, 9))) << "denied port";
        EXPECT_FALSE(sends(fragment(later, 64, false, 9))) << "of a denied datagram";
    }
}

TEST_F(PodTest, ErrorsOfAllowedFlowsPassWhateverPolicySaysOfIcmp) {
    struct Family {
        const char *pod, *peer, *router;
        std::uint8_t protocol, type, code;
    };
    for (const Family& f : {Family{kPod4, kPeer4, kStranger4, 1, 3, 4},
                            Family{kPod6, kPeer6, kStranger6, 58, 2, 0}}) {
        allow_port(kPod, WEIR_EGRESS, kTcp, 80);
        deny_all(kPod, WEIR_INGRESS);
        const Bytes sent = ip(f.pod, f.peer, tcp(40000, 80));
        const auto error_about = [&](const Bytes& quoted) {
            return frame(ip(f.router, f.pod, icmp(f.type, f.code, 0, quoted),
                            {.protocol = f.protocol, .extensions = {}, .extension_types = {}}));
        };
        EXPECT_FALSE(receives(error_about(sent))) << "of a flow that never was";
        ASSERT_TRUE(sends(frame(sent)));
        EXPECT_TRUE(receives(error_about(sent)));
        Bytes cut = sent;
        cut.resize(sent.size() - 12); // the first 8 bytes of TCP
        EXPECT_TRUE(receives(error_about(cut)));
        EXPECT_FALSE(receives(error_about(ip(f.pod, f.peer, tcp(40001, 80))))) << "another flow";
        EXPECT_FALSE(receives(error_about(ip(f.peer, f.pod, tcp(80, 40000)))))
            << "quotes what the pod never sent";
        deny_all(kPod, WEIR_EGRESS);
        EXPECT_FALSE(receives(error_about(sent))) << "the flow is denied now";
    }
}

TEST_F(PodTest, PodMayReportErrorsAboutWhatItReceived) {
    deny_all(kPod, WEIR_EGRESS);
    const Bytes received = ip(kPeer4, kPod4, udp(40000, 53), {.protocol = kUdp});
    const Bytes unreachable =
        frame(ip(kPod4, kPeer4, icmp(3, 3, 0, received), {.protocol = kIcmp}));
    EXPECT_FALSE(sends(unreachable));
    ASSERT_TRUE(receives(frame(received)));
    EXPECT_TRUE(sends(unreachable));
}

} // namespace
} // namespace weir::test
