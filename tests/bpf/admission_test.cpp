// SPDX-License-Identifier: Apache-2.0
// What passes or drops before policy: spoofing, neighbours, malformed and foreign frames. Every
// drop reason is produced at least once.
#include <random>
#include <set>

#include "tests/bpf/pod_fixture.h"

namespace weir::test {
namespace {

Bytes extension(std::uint8_t length = 0) {
    return {0, length, 0, 0, 0, 0, 0, 0};
}

Bytes discovery(const char* source, const Bytes& message, std::uint8_t hop_limit = 255) {
    return frame(
        ip(source, "ff02::1", message,
           {.protocol = kIcmp6, .hop_limit = hop_limit, .extensions = {}, .extension_types = {}}),
        {.destination = {0x33, 0x33, 0, 0, 0, 1}, .vlans = {}});
}

Bytes cut(Bytes packet, std::size_t size) {
    packet.resize(size);
    return packet;
}

// BPF_PROG_TEST_RUN takes no packet that is shorter than the network header its frame announces.
bool kernel_runs(const Bytes& packet) {
    const int type = packet[12] << 8 | packet[13];
    return packet.size() >= (type == 0x0800 ? 34u : type == 0x86dd ? 54u : 15u);
}

TEST_F(PodTest, SourceMustBeThePods) {
    EXPECT_TRUE(sends(frame(ip(kPod4, kPeer4, tcp(40000, 80)))));
    EXPECT_TRUE(sends(frame(ip(kPod6, kPeer6, tcp(40000, 80)))));
    EXPECT_TRUE(sends(frame(ip(kPodLinkLocal, kPeer6, tcp(40000, 80)))));
    const Bytes forged[] = {
        frame(ip(kOther4, kPeer4, tcp(40000, 80))), frame(ip("fd00::99", kPeer6, tcp(40000, 80))),
        frame(ip("fe80::99", kPeer6, tcp(40000, 80))), frame(ip("0.0.0.0", kPeer4, tcp(40000, 80))),
        frame(ip("::", kPeer6, tcp(40000, 80)))};
    for (const Bytes& packet : forged) {
        EXPECT_FALSE(sends(packet));
        EXPECT_EQ(last_reason(), WEIR_DROP_SPOOFED_SOURCE);
    }
}

TEST_F(PodTest, ForgedSourceDoesNotRideOnAnotherPodsFlow) {
    const Bytes packet = frame(ip(kOther4, kPeer4, tcp(40000, 80)));
    ASSERT_TRUE(passes(kOther, WEIR_EGRESS, packet, kOwnNode));
    EXPECT_FALSE(passes(kPod, WEIR_EGRESS, packet, kOwnNode));
}

TEST_F(PodTest, LeaseMayBeAskedForWithoutAnAddress) {
    EXPECT_TRUE(sends(frame(ip("0.0.0.0", "255.255.255.255", udp(68, 67), {.protocol = kUdp}))));
    EXPECT_FALSE(sends(frame(ip("0.0.0.0", "255.255.255.255", udp(68, 68), {.protocol = kUdp}))));
}

TEST_F(PodTest, NeighboursPassBeforePolicy) {
    deny_all(kPod, WEIR_EGRESS);
    deny_all(kPod, WEIR_INGRESS);
    EXPECT_TRUE(sends(arp(1, kPod4, kPeer4)));
    EXPECT_TRUE(sends(arp(1, "0.0.0.0", kPod4))) << "probe (RFC 5227)";
    EXPECT_TRUE(receives(arp(2, kPeer4, kPod4)));
    EXPECT_TRUE(sends(discovery(kPod6, neighbour(135, kPeer6))));
    EXPECT_TRUE(sends(discovery("::", neighbour(135, kPod6)))) << "duplicate address detection";
    EXPECT_TRUE(sends(discovery(kPod6, neighbour(136, kPod6))));
    EXPECT_TRUE(sends(discovery(kPodLinkLocal, icmp(133, 0, 0)))) << "router solicitation";
    EXPECT_TRUE(sends(discovery(kPodLinkLocal, icmp(143, 0, 0), 1))) << "listener report";
    EXPECT_TRUE(receives(discovery(kPeer6, neighbour(136, kPeer6))));
    EXPECT_TRUE(receives(discovery("fe80::aa", icmp(134, 0, 0)))) << "router advertisement";
    EXPECT_FALSE(receives(discovery(kPeer6, neighbour(136, kPeer6), 64))) << "was forwarded";
}

TEST_F(PodTest, PodClaimsOnlyItsOwnAddresses) {
    const Bytes claims[] = {arp(1, kOther4, kPeer4), arp(2, kPeer4, kPeer4),
                            discovery(kPod6, neighbour(136, kPeer6)),
                            discovery(kPodLinkLocal, icmp(134, 0, 0)),
                            discovery(kPodLinkLocal, neighbour(137, kPeer6))};
    for (const Bytes& claim : claims) {
        EXPECT_FALSE(sends(claim));
        EXPECT_EQ(last_reason(), WEIR_DROP_SPOOFED_NEIGHBOUR);
    }
}

TEST_F(PodTest, FloodedFrameIsNoDenial) {
    const Bytes packet = frame(ip(kPeer4, kOther4, tcp(40000, 80)),
                               {.destination = {2, 0, 0, 0, 0, 3}, .vlans = {}});
    EXPECT_FALSE(receives(packet));
    EXPECT_EQ(last_reason(), WEIR_DROP_NOT_ADDRESSED);
    EXPECT_TRUE(events().empty());
    EXPECT_FALSE(new_flow(kPeer4, 40000, kOther4, 80));
    // By address, should the pod have another MAC than the agent saw; and broadcast.
    EXPECT_TRUE(receives(frame(ip(kPeer4, kPod4, tcp(40000, 80)),
                               {.destination = {2, 0, 0, 0, 0, 9}, .vlans = {}})));
    EXPECT_TRUE(receives(frame(ip(kPeer4, "10.0.0.255", udp(40000, 80), {.protocol = kUdp}),
                               {.destination = {255, 255, 255, 255, 255, 255}, .vlans = {}})));
}

TEST_F(PodTest, TagsAndExtensionHeadersAreWalked) {
    allow_port(kPod, WEIR_EGRESS, 6, 80);
    const auto tagged = [](std::vector<std::uint16_t> vlans, std::uint16_t port) {
        return frame(ip(kPod4, kPeer4, tcp(40000, port)),
                     {.destination = {2, 0, 0, 0, 0, 9}, .vlans = std::move(vlans)});
    };
    EXPECT_TRUE(sends(tagged({5}, 80)));
    EXPECT_TRUE(sends(tagged({5, 6}, 80)));
    EXPECT_FALSE(sends(tagged({5, 6}, 81)));
    EXPECT_EQ(last_reason(), WEIR_DROP_POLICY_DENY);

    const auto extended = [](std::uint16_t port, std::size_t destination_options) {
        IpOptions options;
        options.extension_types = {0, 43};
        options.extensions = {extension(), extension(1)};
        options.extensions[1].resize(16);
        for (std::size_t i = 0; i < destination_options; i++) {
            options.extension_types.push_back(60);
            options.extensions.push_back(extension());
        }
        return frame(ip(kPod6, kPeer6, tcp(40000, port), options));
    };
    EXPECT_TRUE(sends(extended(80, 1)));
    EXPECT_TRUE(sends(extended(80, 6)));
    EXPECT_FALSE(sends(extended(81, 1)));
    EXPECT_EQ(last_reason(), WEIR_DROP_POLICY_DENY);
    IpOptions v4_options;
    v4_options.header_options = 12;
    EXPECT_TRUE(sends(frame(ip(kPod4, kPeer4, tcp(40000, 80), v4_options))));
    EXPECT_FALSE(sends(frame(ip(kPod4, kPeer4, tcp(40000, 81), v4_options))));
}

TEST_F(PodTest, EveryDropReasonIsProduced) {
    deny_all(kPod, WEIR_INGRESS);
    std::set<int> produced;
    const auto expect_drop = [&](int reason, std::uint32_t slot, const Bytes& packet,
                                 weir_direction direction = WEIR_EGRESS) {
        EXPECT_FALSE(passes(slot, direction, packet, kElsewhere)) << reason;
        EXPECT_EQ(last_reason(), reason);
        produced.insert(last_reason());
    };
    const Bytes good = to_peer(kSyn), good6 = frame(ip(kPod6, kPeer6, tcp(40000, 80)));
    const auto edited = [](Bytes packet, std::size_t at, std::uint8_t value) {
        packet.at(at) = value;
        return packet;
    };

    expect_drop(WEIR_DROP_POLICY_DENY, kPod, from_peer(kSyn), WEIR_INGRESS);
    expect_drop(WEIR_DROP_NO_ENDPOINT, kFree, good);
    expect_drop(WEIR_DROP_SPOOFED_SOURCE, kPod, frame(ip(kOther4, kPeer4, tcp(40000, 80))));
    expect_drop(WEIR_DROP_SPOOFED_NEIGHBOUR, kPod, arp(1, kOther4, kPeer4));
    expect_drop(WEIR_DROP_NOT_ADDRESSED, kOther, from_peer(kSyn), WEIR_INGRESS);
    expect_drop(WEIR_DROP_NON_IP, kPod, frame(Bytes(40, 0), {.vlans = {}, .ether_type = 0x88cc}));
    expect_drop(WEIR_DROP_VLAN_DEPTH, kPod,
                frame(ip(kPod4, kPeer4, tcp(40000, 80)), {.vlans = {1, 2, 3}}));
    expect_drop(WEIR_DROP_TRUNCATED_FRAME, kPod,
                cut(frame(ip(kPod4, kPeer4, tcp(40000, 80)), {.vlans = {1}}), 16));
    expect_drop(WEIR_DROP_INVALID_ARP, kPod, edited(arp(1, kPod4, kPeer4), 18, 8));
    expect_drop(WEIR_DROP_INVALID_ARP, kPod, cut(arp(1, kPod4, kPeer4), 30));
    expect_drop(WEIR_DROP_TRUNCATED_IP, kPod,
                cut(frame(ip(kPod4, kPeer4, tcp(40000, 80)), {.vlans = {1}}), 30));
    expect_drop(WEIR_DROP_TRUNCATED_IP, kPod, cut(good, 53));
    expect_drop(WEIR_DROP_TRUNCATED_IP, kPod, cut(good6, 60));
    expect_drop(WEIR_DROP_INVALID_IP, kPod, edited(good, 14, 0x65));
    expect_drop(WEIR_DROP_INVALID_IP, kPod, edited(good, 14, 0x44));
    expect_drop(WEIR_DROP_INVALID_IP, kPod, edited(good, 17, 19));
    expect_drop(WEIR_DROP_INVALID_IP, kPod, edited(good6, 14, 0x45));
    expect_drop(WEIR_DROP_INVALID_ADDRESS, kPod, frame(ip("::ffff:10.0.0.1", kPeer6, tcp(1, 80))));
    expect_drop(WEIR_DROP_INVALID_ADDRESS, kPod, frame(ip(kPod6, "::ffff:10.0.0.2", tcp(1, 80))));
    IpOptions many;
    many.extension_types.assign(9, 60);
    many.extensions.assign(9, extension());
    expect_drop(WEIR_DROP_IPV6_EXTENSIONS, kPod, frame(ip(kPod6, kPeer6, tcp(1, 80), many)));
    IpOptions long_one;
    long_one.extension_types = {60};
    long_one.extensions = {extension(200)};
    expect_drop(WEIR_DROP_IPV6_EXTENSIONS, kPod, frame(ip(kPod6, kPeer6, tcp(1, 80), long_one)));
    expect_drop(WEIR_DROP_TRUNCATED_TRANSPORT, kPod,
                frame(ip(kPod4, kPeer4, cut(tcp(40000, 80), 12))));
    expect_drop(WEIR_DROP_INVALID_TRANSPORT, kPod, edited(good, 46, 0x40));
    expect_drop(WEIR_DROP_INVALID_TRANSPORT, kPod, edited(good, 46, 0x60));
    expect_drop(WEIR_DROP_INVALID_TRANSPORT, kPod,
                edited(frame(ip(kPod4, kPeer4, udp(1, 53), {.protocol = kUdp})), 39, 7));
    expect_drop(WEIR_DROP_INVALID_TRANSPORT, kPod,
                frame(ip(kPod4, kPeer4, Bytes(16, 0), {.fragment_offset = 8})));
    expect_drop(WEIR_DROP_FRAGMENT_ORPHAN, kPod,
                frame(ip(kPod4, kPeer4, Bytes(16, 0), {.protocol = kUdp, .fragment_offset = 64})));

    flip(kPod, WEIR_EGRESS, 4000); // a table that does not exist
    expect_drop(WEIR_DROP_DANGLING_ID, kPod, to_peer(kSyn, 40009, 80));
    allow(kPod, WEIR_EGRESS, {{0, WEIR_VERDICT_DENY | WEIR_RULE_POD_UNKNOWN}});
    expect_drop(WEIR_DROP_POD_UNKNOWN, kPod, to_peer(kSyn, 40010, 80));
    store_word(dataplane().maps().pods[kPod].rules[WEIR_EGRESS], 0); // not ready
    expect_drop(WEIR_DROP_NO_ENDPOINT, kPod, to_peer(kSyn, 40011, 80));

    // Those of services: service_pod_test.cpp.
#define WEIR_DROP(name, word, text)                                   \
    EXPECT_TRUE(produced.contains(WEIR_DROP_##name) ||                \
                int{WEIR_DROP_##name} >= int{WEIR_DROP_SERVICE_PORT}) \
        << word;
    WEIR_DROP_REASONS(WEIR_DROP)
#undef WEIR_DROP
}

// Whatever arrives is either let by or counted under exactly one reason (passes() checks that), and
// what is cut short is never let by.
TEST_F(PodTest, TruncatedPacketsAreDropped) {
    IpOptions extended;
    extended.extension_types = {0, 60};
    extended.extensions = {extension(), extension()};
    const Bytes whole[] = {to_peer(kSyn),
                           frame(ip(kPod4, kPeer4, udp(1, 53), {.protocol = kUdp})),
                           frame(ip(kPod4, kPeer4, sctp(1, 80), {.protocol = 132})),
                           frame(ip(kPod4, kPeer4, icmp(8, 0, 1), {.protocol = 1})),
                           frame(ip(kPod6, kPeer6, tcp(40000, 80), extended)),
                           frame(ip(kPod4, kPeer4, tcp(1, 80)), {.vlans = {7, 8}}),
                           arp(1, kPod4, kPeer4),
                           discovery(kPod6, neighbour(136, kPod6))};
    for (const Bytes& packet : whole) {
        ASSERT_TRUE(sends(packet));
        for (std::size_t size = 14; size < packet.size(); size++) {
            const Bytes part = cut(packet, size);
            if (!kernel_runs(part)) continue;
            EXPECT_FALSE(sends(part)) << size << " of " << packet.size();
        }
    }
}

TEST_F(PodTest, MalformedPacketsByTheThousand) {
    const std::uint64_t seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    IpOptions extended;
    extended.extension_types = {0, 60};
    extended.extensions = {extension(), extension()};
    const Bytes seeds[] = {
        to_peer(kSyn), frame(ip(kPod6, kPeer6, tcp(40000, 80), extended)),
        frame(ip(kPod4, kPeer4, udp(1, 53), {.protocol = kUdp})),
        frame(ip(kPod4, kPeer4, icmp(3, 4, 0, ip(kPeer4, kPod4, tcp(1, 2))), {.protocol = 1})),
        discovery(kPod6, neighbour(136, kPod6))};
    for (int i = 0; i < 4000; i++) {
        Bytes packet = seeds[random() % std::size(seeds)];
        const auto edits = 1 + random() % 6;
        for (std::uint64_t edit = 0; edit < edits; edit++)
            packet[12 + random() % (packet.size() - 12)] = static_cast<std::uint8_t>(random());
        if (random() % 4 == 0) packet.resize(14 + random() % packet.size());
        if (!kernel_runs(packet)) continue;
        passes(kPod, random() % 2 ? WEIR_EGRESS : WEIR_INGRESS, packet, kElsewhere);
        ASSERT_FALSE(HasFailure()) << "packet " << i;
    }
}

} // namespace
} // namespace weir::test
