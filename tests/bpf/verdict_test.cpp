// SPDX-License-Identifier: Apache-2.0
// What the pod's tables say is what happens: protocols, ports, both families, both directions.
#include <arpa/inet.h>

#include "loader/lookup.h"
#include "tests/bpf/pod_fixture.h"

namespace weir::test {
namespace {

struct Case {
    const char* name;
    Bytes packet; // from the pod
    bool passes_port_rule;
};

TEST_F(PodTest, RuleWithPortsAdmitsItsProtocolAndPortOnly) {
    allow_port(kPod, WEIR_EGRESS, kTcp, 80);
    const Case cases[] = {
        {"tcp 80", frame(ip(kPod4, kPeer4, tcp(40000, 80))), true},
        {"tcp 79", frame(ip(kPod4, kPeer4, tcp(40001, 79))), false},
        {"tcp 81", frame(ip(kPod4, kPeer4, tcp(40002, 81))), false},
        {"udp 80", frame(ip(kPod4, kPeer4, udp(40003, 80), {.protocol = kUdp})), false},
        {"sctp 80", frame(ip(kPod4, kPeer4, sctp(40004, 80), {.protocol = kSctp})), false},
        {"icmp", frame(ip(kPod4, kPeer4, icmp(8, 0, 7), {.protocol = kIcmp})), false},
        {"gre", frame(ip(kPod4, kPeer4, Bytes(8, 0), {.protocol = kGre})), false},
        {"tcp 80 v6", frame(ip(kPod6, kPeer6, tcp(40000, 80))), true},
        {"tcp 81 v6", frame(ip(kPod6, kPeer6, tcp(40000, 81))), false},
        {"icmp6", frame(ip(kPod6, kPeer6, icmp(128, 0, 7), {.protocol = kIcmp6})), false},
        {"stranger", frame(ip(kPod4, kStranger4, tcp(40000, 80))), false},
        {"stranger v6", frame(ip(kPod6, kStranger6, tcp(40000, 80))), false},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(sends(c.packet), c.passes_port_rule) << c.name;
        EXPECT_EQ(last_reason(), c.passes_port_rule ? WEIR_DROP_NONE : WEIR_DROP_POLICY_DENY)
            << c.name;
    }
}

TEST_F(PodTest, RuleWithoutPortsAdmitsEveryProtocol) {
    allow(kPod, WEIR_EGRESS, {{0, kAllowed}});
    const Bytes packets[] = {
        frame(ip(kPod4, kPeer4, tcp(40000, 80))),
        frame(ip(kPod4, kPeer4, udp(40000, 53), {.protocol = kUdp})),
        frame(ip(kPod4, kPeer4, sctp(40000, 80), {.protocol = kSctp})),
        frame(ip(kPod4, kPeer4, icmp(8, 0, 7), {.protocol = kIcmp})),
        frame(ip(kPod4, kPeer4, Bytes(8, 0), {.protocol = kGre})),
        frame(ip(kPod6, kPeer6, icmp(128, 0, 7), {.protocol = kIcmp6})),
        frame(ip(kPod6, kPeer6, sctp(40000, 80), {.protocol = kSctp})),
    };
    for (const Bytes& packet : packets)
        EXPECT_TRUE(sends(packet));
    EXPECT_FALSE(sends(frame(ip(kPod4, kStranger4, icmp(8, 0, 8), {.protocol = kIcmp}))));
}

TEST_F(PodTest, IngressJudgesTheSourceAndTheDestinationPort) {
    allow_port(kPod, WEIR_INGRESS, kTcp, 8080);
    EXPECT_TRUE(receives(frame(ip(kPeer4, kPod4, tcp(40000, 8080)))));
    EXPECT_FALSE(receives(frame(ip(kPeer4, kPod4, tcp(8080, 80)))));
    EXPECT_FALSE(receives(frame(ip(kStranger4, kPod4, tcp(40000, 8080)))));
    EXPECT_TRUE(receives(frame(ip(kPeer6, kPod6, tcp(40000, 8080)))));
}

TEST_F(PodTest, AClassWithoutRowHasItsParentsAndThenTheDefault) {
    constexpr std::uint32_t kParent = 3u << WEIR_CLASS_PARENT_SHIFT;
    constexpr std::uint32_t kTable = 4000, kOwnRow = 100, kParentRow = 101;
    const Maps& maps = dataplane().maps();
    maps.rows[kOwnRow] = {0, kAllowed};
    maps.rows[kParentRow] = {0, kAllowed + 1};
    maps.tables[kTable] = {0, 1}; // denies
    const auto is_of = [&](std::uint32_t class_id) {
        weir_peer peer{};
        peer.class_id = class_id;
        EXPECT_TRUE(maps.peers.update(address(kPeer4), peer));
    };
    std::uint16_t port = 40000;
    const auto passes = [&] {
        flip(kPod, WEIR_EGRESS, kTable);
        const bool is_sent = sends(frame(ip(kPod4, kPeer4, tcp(++port, 80))));
        const auto way =
            look_up_policy(maps, kPod, WEIR_EGRESS, address(kPeer4), WEIR_PORT_KEY(kTcp, 80));
        EXPECT_TRUE(way);
        EXPECT_EQ(is_sent, (way->verdict & WEIR_VERDICT_DENY) == 0) << "as userspace reads it";
        return is_sent ? way->verdict : 0;
    };
    is_of(kParent | 7);
    EXPECT_EQ(passes(), 0u) << "neither has a row";
    ASSERT_TRUE(maps.rules.update({kTable, kParent}, {kParentRow, 1}));
    EXPECT_EQ(passes(), kAllowed + 1) << "the parent's";
    ASSERT_TRUE(maps.rules.update({kTable, kParent | 7}, {kOwnRow, 1}));
    EXPECT_EQ(passes(), kAllowed) << "its own";
    is_of(kParent);
    EXPECT_EQ(passes(), kAllowed + 1) << "the parent itself";
    is_of(7);
    EXPECT_EQ(passes(), 0u) << "below no parent";
    is_of(WEIR_CLASS_NONE);
    EXPECT_EQ(passes(), 0u);
}

TEST_F(PodTest, SearchFindsTheIntervalInLongRows) {
    std::vector<weir_interval> row{{0, WEIR_VERDICT_DENY | kDenied}};
    for (std::uint32_t port = 1000; port < 3000; port += 2) {
        row.push_back({WEIR_PORT_KEY(kTcp, port), kAllowed});
        row.push_back({WEIR_PORT_KEY(kTcp, port + 1), WEIR_VERDICT_DENY | kDenied});
    }
    allow(kPod, WEIR_EGRESS, row);
    for (std::uint16_t port = 990; port < 3010; port++) {
        const bool is_allowed = port >= 1000 && port < 3000 && port % 2 == 0;
        EXPECT_EQ(sends(to_peer(kSyn, 40000, port)), is_allowed) << port;
    }
}

TEST_F(PodTest, PrefixesAreAskedWhenNoExactAddressIsKnown) {
    allow(kPod, WEIR_EGRESS, {{0, kAllowed}});
    weir_prefix prefix{};
    prefix.prefix_length = 96 + 24;
    const weir_address network = address("192.0.2.0");
    std::copy(std::begin(network.bytes), std::end(network.bytes), prefix.address.bytes);
    EXPECT_FALSE(sends(frame(ip(kPod4, kStranger4, tcp(40000, 80)))));
    ASSERT_TRUE(dataplane().maps().prefixes.update(prefix, 1));
    EXPECT_TRUE(sends(frame(ip(kPod4, kStranger4, tcp(40000, 80)))));
    EXPECT_FALSE(sends(frame(ip(kPod4, "192.0.3.9", tcp(40000, 80)))));
    // ::/0 of the trie would be the mapped IPv4 addresses' too: that is the compiler's to prevent.
    weir_peer none{};
    ASSERT_TRUE(dataplane().maps().peers.update(address(kStranger4), none));
    EXPECT_FALSE(sends(frame(ip(kPod4, kStranger4, tcp(40001, 80))))) << "exact beats prefix";
}

TEST_F(PodTest, EventsNameTheRuleThatDecided) {
    allow_port(kPod, WEIR_EGRESS, kTcp, 80);
    ASSERT_TRUE(sends(to_peer(kSyn)));
    ASSERT_FALSE(sends(to_peer(kSyn, 40001, 81)));
    ASSERT_EQ(events().size(), 2u);
    const weir_event& allowed = events()[0];
    EXPECT_EQ(allowed.type, WEIR_EVENT_ALLOWED);
    EXPECT_EQ(allowed.rule, kAllowed);
    EXPECT_EQ(allowed.direction, WEIR_EGRESS);
    EXPECT_EQ(allowed.slot, kPod);
    EXPECT_EQ(ntohs(allowed.initiator_port), 40000);
    EXPECT_EQ(ntohs(allowed.responder_port), 80);
    EXPECT_EQ(allowed.responder.words[3], address(kPeer4).words[3]);
    const weir_event& denied = events()[1];
    EXPECT_EQ(denied.type, WEIR_EVENT_DENIED);
    EXPECT_EQ(denied.reason, WEIR_DROP_POLICY_DENY);
    EXPECT_EQ(denied.rule, kDenied);
    EXPECT_EQ(denied.is_reply, 0);
    EXPECT_EQ(denied.packets[0], 1u);
}

TEST_F(PodTest, OwnNodePassesAndItsRepliesDo) {
    deny_all(kPod, WEIR_INGRESS);
    deny_all(kPod, WEIR_EGRESS);
    EXPECT_FALSE(receives(from_peer(kSyn, 50000, 8080)));
    EXPECT_TRUE(receives(from_peer(kSyn, 50000, 8080), kOwnNode));
    EXPECT_TRUE(sends(to_peer(kSyn | kAck, 8080, 50000)));
    flip(kPod, WEIR_INGRESS, 1); // another generation, the deny-all table of before
    deny_all(kPod, WEIR_INGRESS);
    EXPECT_TRUE(sends(to_peer(kAck, 8080, 50000))) << "replies to the node, judged again";
    EXPECT_TRUE(receives(from_peer(kAck, 50000, 8080), kOwnNode));
    EXPECT_FALSE(receives(from_peer(kAck, 50000, 8080), kElsewhere))
        << "forwarded packets that carry a node's address are judged";
    EXPECT_FALSE(sends(to_peer(kSyn, 40000, 80)));
}

TEST_F(PodTest, DenialThatIsForEverybodyStopsTheOwnNode) {
    ASSERT_TRUE(receives(from_peer(kSyn, 50000, 8080), kOwnNode));
    ASSERT_TRUE(sends(to_peer(kSyn | kAck, 8080, 50000)));
    const weir_interval all{0, WEIR_VERDICT_DENY | WEIR_VERDICT_OWN_NODE | kDenied};
    allow(kPod, WEIR_INGRESS, {all});
    EXPECT_FALSE(receives(from_peer(kAck, 50000, 8080), kOwnNode)) << "established";
    EXPECT_EQ(events().back().rule, kDenied);
    EXPECT_FALSE(sends(to_peer(kAck, 8080, 50000))) << "the reply";
    EXPECT_FALSE(receives(from_peer(kSyn, 50001, 8080), kOwnNode)) << "new";
}

TEST_F(PodTest, OwnAddressPassesOnlyWhenItComesBackFromThePodItself) {
    deny_all(kPod, WEIR_INGRESS);
    deny_all(kPod, WEIR_EGRESS);
    for (const char* self : {kPod4, kPod6}) {
        const Bytes packet = frame(ip(self, self, tcp(40000, 80)));
        EXPECT_TRUE(sends(packet));
        EXPECT_TRUE(receives(packet, kLoopback)); // the pod's own interface
        EXPECT_FALSE(receives(packet, kElsewhere)) << "forged elsewhere";
    }
}

TEST_F(PodTest, OffloadedPacketsCountAsTheirSegments) {
    const Bytes packet = frame(ip(kPod4, kPeer4, tcp(40000, 80, kSyn, 3000)));
    ASSERT_TRUE(sends(packet));
    const weir_counter one = counter(WEIR_EGRESS, WEIR_DROP_NONE);
    EXPECT_EQ(one.packets, 1u);
    EXPECT_EQ(one.bytes, packet.size());

    const weir_counter many = run_offloaded(packet, 3, 1000);
    EXPECT_EQ(many.packets, 3u);
    EXPECT_EQ(many.bytes, packet.size() + 2 * 54) << "each segment has its headers";
    EXPECT_EQ(run_offloaded(packet, 0, 1000).packets, 3u) << "segments not computed yet";
}

} // namespace
} // namespace weir::test
