// SPDX-License-Identifier: Apache-2.0
// Services per packet at the pod: requests and answers, choice, policy, refusals.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <set>

#include "tests/bpf/service_pod_fixture.h"

namespace weir::test {
namespace {

TEST_F(ServicePodTest, RequestsGoToTheBackendAndAnswersComeFromTheService) {
    add_services();
    for (const auto& [name, pod, service, backend] : kEnds) {
        SCOPED_TRACE(name);
        for (const std::uint8_t flags : {kSyn, kAck, kPsh}) {
            const std::size_t payload = flags == kPsh ? 33 : 0;
            const std::uint8_t answer = flags == kSyn ? kSyn | kAck : kAck;
            for (int again = 0; again < 2; ++again) {
                expect_egress(tcp_packet(pod, kClient, service, kServicePort, flags, payload),
                              tcp_packet(pod, kClient, backend, kBackendPort, flags, payload));
                expect_ingress(tcp_packet(backend, kBackendPort, pod, kClient, answer, payload),
                               tcp_packet(service, kServicePort, pod, kClient, answer, payload));
            }
        }
        for (int again = 0; again < 3; ++again) {
            expect_egress(udp_packet(pod, kClient, service, kServicePort),
                          udp_packet(pod, kClient, backend, kBackendPort));
            expect_ingress(udp_packet(backend, kBackendPort, pod, kClient),
                           udp_packet(service, kServicePort, pod, kClient));
        }
    }
    const auto tracked = flow(kPod4, kClient, kPeer4, kBackendPort);
    ASSERT_TRUE(tracked);
    EXPECT_EQ(tracked->packets[0], 6);
    EXPECT_EQ(tracked->packets[1], 6);
    EXPECT_FALSE(flow(kPod4, kClient, "10.96.0.1", kServicePort));
    EXPECT_EQ(outcome(WEIR_SERVICE_NAT_LOST), 0);
}

// A sum that comes to 0xffff is a checksum of 0: in TCP one as any, not "none".
TEST_F(ServicePodTest, ATcpChecksumOfZeroIsTranslatedToo) {
    add_services();
    for (const auto& [name, pod, service, backend] : kEnds) {
        SCOPED_TRACE(name);
        const std::size_t check = (pod == kPod6 ? 40 : 20) + 16;
        const auto packet_with = [&](const char* to, std::uint16_t port,
                                     std::array<std::uint8_t, 2> last) {
            Bytes packet = ip(pod, to, tcp(kClient, port, kPsh, 32));
            std::ranges::copy(last, packet.end() - 2);
            return with_checksums(std::move(packet));
        };
        const Bytes without = packet_with(service, kServicePort, {0, 0});
        const std::array last{without[check], without[check + 1]};
        const Bytes request = packet_with(service, kServicePort, last);
        ASSERT_EQ(request[check] | request[check + 1], 0);
        expect_egress(tcp_packet(pod, kClient, service, kServicePort, kSyn),
                      tcp_packet(pod, kClient, backend, kBackendPort, kSyn));
        expect_ingress(tcp_packet(backend, kBackendPort, pod, kClient, kSyn | kAck),
                       tcp_packet(service, kServicePort, pod, kClient, kSyn | kAck));
        for (int again = 0; again < 2; ++again)
            expect_egress(request, packet_with(backend, kBackendPort, last));
    }
}

// As built: IPv4 without a UDP checksum, tagged frames, IP options.
TEST_F(ServicePodTest, OddPacketsAreTranslatedToo) {
    add_services();
    const auto& [name, pod, service, backend] = kEnds[0];
    Bytes without = udp_packet(pod, kClient, service, kServicePort);
    Bytes expected = udp_packet(pod, kClient, backend, kBackendPort);
    for (Bytes* packet : {&without, &expected})
        (*packet)[26] = (*packet)[27] = 0;
    expect_egress(without, expected);

    const FrameOptions tagged{.vlans = {7}};
    const Passed passed = egress(tcp_packet(pod, kClient, service, kServicePort, kSyn), tagged);
    EXPECT_EQ(passed.packet, frame(tcp_packet(pod, kClient, backend, kBackendPort, kSyn), tagged));

    const IpOptions options{.header_options = 8};
    const auto with_options = [&](const char* to, std::uint16_t port) {
        return with_checksums(ip(pod, to, tcp(kClient, port, kAck), options));
    };
    expect_egress(with_options(service, kServicePort), with_options(backend, kBackendPort));
}

TEST_F(ServicePodTest, WhatIsNoServicesPassesUntouched) {
    add_services();
    for (const auto& [name, pod, service, backend] : kEnds) {
        // So does what a cgroup program translated: it has the backend's address already.
        for (const char* to : {backend, "192.0.2.9"}) {
            if (std::string_view(pod) == kPod6 && to != backend) continue;
            const Bytes packet = tcp_packet(pod, kClient, to, kBackendPort, kSyn);
            expect_egress(packet, packet);
            const Bytes answer = tcp_packet(to, kBackendPort, pod, kClient, kSyn | kAck);
            expect_ingress(answer, answer);
        }
    }
    const Bytes sctp_to_itself = ip(kPod4, "10.96.0.1", sctp(1, kServicePort), {.protocol = 132});
    expect_egress(sctp_to_itself, sctp_to_itself);
    EXPECT_EQ(outcome(WEIR_SERVICE_SCTP_PORT), 1);
    tables().add_service({"10.96.0.9", 80}, {tables().add_backend(kPeer6, 80)});
    const Bytes other_family = tcp_packet(kPod4, kClient, "10.96.0.9", 80, kSyn);
    expect_egress(other_family, other_family);
    EXPECT_EQ(outcome(WEIR_SERVICE_WRONG_FAMILY), 1);
}

TEST_F(ServicePodTest, SctpKeepsItsPorts) {
    tables().add_service({"10.96.0.1", 80}, {tables().add_backend(kPeer4, 80)});
    const auto packet = [](const char* from, std::uint16_t port, const char* to,
                           std::uint16_t to_port, std::uint8_t chunk) {
        return with_checksums(ip(from, to, sctp(port, to_port, chunk), {.protocol = 132}));
    };
    expect_egress(packet(kPod4, 5000, "10.96.0.1", 80, 1), packet(kPod4, 5000, kPeer4, 80, 1));
    expect_ingress(packet(kPeer4, 80, kPod4, 5000, 2), packet("10.96.0.1", 80, kPod4, 5000, 2));
}

TEST_F(ServicePodTest, PolicyJudgesTheBackend) {
    add_services();
    allow_port(kPod, WEIR_EGRESS, IPPROTO_TCP, kBackendPort);
    EXPECT_EQ(egress(tcp_packet(kPod4, kClient, "10.96.0.1", kServicePort, kSyn)).verdict, kPass);
    EXPECT_EQ(events().back().responder.words[3], address(kPeer4).words[3]);

    allow_port(kPod, WEIR_EGRESS, IPPROTO_TCP, kServicePort);
    expect_dropped(tcp_packet(kPod4, kClient + 1, "10.96.0.1", kServicePort, kSyn),
                   WEIR_DROP_POLICY_DENY);
    EXPECT_EQ(events().back().responder_port, htons(kBackendPort));
    // An established flow is judged again as well, and what was denied is not remembered.
    expect_dropped(tcp_packet(kPod4, kClient, "10.96.0.1", kServicePort, kAck),
                   WEIR_DROP_POLICY_DENY);
    int remembered = 0;
    EXPECT_TRUE(
        dataplane().maps().translations->for_each([&](const auto&, const auto&) { ++remembered; }));
    EXPECT_EQ(remembered, 2);
}

TEST_F(ServicePodTest, WhatTheServiceDoesNotOfferIsDropped) {
    add_services();
    std::set<int> reasons;
    const auto expect = [&](const Bytes& packet, int reason) {
        expect_dropped(packet, reason);
        reasons.insert(last_reason());
    };
    for (const auto& [name, pod, service, backend] : kEnds) {
        tables().add_wildcard(service);
        expect(tcp_packet(pod, kClient, service, 81, kSyn), WEIR_DROP_SERVICE_PORT);
        expect(udp_packet(pod, kClient, service, 81), WEIR_DROP_SERVICE_PORT);
    }
    tables().add_service({"203.0.113.1", 80}, {tables().add_backend(kPeer4, 80)},
                         {.flags = WEIR_SERVICE_SOURCE_RANGES});
    expect(tcp_packet(kPod4, kClient, "203.0.113.1", 80, kSyn), WEIR_DROP_SERVICE_SOURCE);
    weir_source_range range{.prefix_length = 32 + 96 + 24, .service = 1, .address = {}};
    std::copy_n(address("10.0.0.0").bytes, 16, range.address.bytes);
    ASSERT_TRUE(services().maps().sources.update(range, 1));
    expect_egress(tcp_packet(kPod4, kClient, "203.0.113.1", 80, kSyn),
                  tcp_packet(kPod4, kClient, kPeer4, 80, kSyn));

    tables().add_service({"10.96.0.8", 80}, {});
    const Bytes reset = tcp_packet(kPod4, kClient, "10.96.0.8", 80, kRst); // never answered
    expect(reset, WEIR_DROP_SERVICE_NO_BACKEND);
#define WEIR_DROP(name, word, text)                              \
    if (int{WEIR_DROP_##name} >= int{WEIR_DROP_SERVICE_PORT} &&  \
        int{WEIR_DROP_##name} != int{WEIR_DROP_SERVICE_MOVED}) { \
        EXPECT_TRUE(reasons.contains(WEIR_DROP_##name)) << word; \
    }
    WEIR_DROP_REASONS(WEIR_DROP)
#undef WEIR_DROP
}

// The segment's own numbers: RFC 9293 section 3.5.2.
Bytes reset_packet(const char* source, const char* destination, std::uint32_t sequence,
                   std::uint32_t acknowledged, std::uint8_t flags) {
    Bytes segment = tcp(kServicePort, kClient, flags);
    for (int i = 0; i < 4; ++i) {
        segment[4 + i] = static_cast<std::uint8_t>(sequence >> (24 - 8 * i));
        segment[8 + i] = static_cast<std::uint8_t>(acknowledged >> (24 - 8 * i));
    }
    segment[14] = segment[15] = 0; // window
    Bytes packet = ip(source, destination, segment);
    if (packet[0] >> 4 == 4) {
        packet[4] = packet[5] = 0; // identification
        packet[6] = 0x40;          // do not fragment
    }
    return with_checksums(packet);
}

TEST_F(ServicePodTest, ServiceWithoutBackendRefuses) {
    for (const auto& [name, pod, service, backend] : kEnds) {
        SCOPED_TRACE(name);
        tables().add_service({service, kServicePort}, {});
        // The builder's segments have sequence number 1, and acknowledge 1.
        expect_returned(tcp_packet(pod, kClient, service, kServicePort, kSyn),
                        reset_packet(service, pod, 0, 2, kRst | kAck));
        expect_returned(tcp_packet(pod, kClient, service, kServicePort, kAck, 200),
                        reset_packet(service, pod, 1, 0, kRst));
        EXPECT_EQ(last_reason(), WEIR_DROP_SERVICE_NO_BACKEND);

        const bool is_v4 = std::string_view(pod) == kPod4;
        const Bytes datagram = udp_packet(pod, kClient, service, kServicePort, 100);
        const Bytes quote(datagram.begin(), datagram.begin() + (is_v4 ? 28 : 48));
        Bytes refusal = is_v4
                            ? ip(service, pod, icmp(3, 3, 0, quote), {.protocol = IPPROTO_ICMP})
                            : ip(service, pod, icmp(1, 4, 0, quote), {.protocol = IPPROTO_ICMPV6});
        (is_v4 ? refusal[20 + 7] : refusal[40 + 7]) = 0; // the builder's sequence number
        if (is_v4) {
            refusal[4] = refusal[5] = 0;
            refusal[6] = 0x40;
        }
        refusal = with_checksums(refusal);
        expect_returned(datagram, refusal);
        // What goes back is let by at the ingress hook, whatever policy says.
        deny_all(kPod, WEIR_INGRESS);
        EXPECT_EQ(ingress(refusal, kLoopback).verdict, kPass);
        EXPECT_EQ(ingress(refusal).verdict, kDropped);
        allow_all(kPod, WEIR_INGRESS);
    }
    EXPECT_EQ(outcome(WEIR_SERVICE_NO_BACKEND), 6);
}

TEST_F(ServicePodTest, ShareOfSlotsThatRefuseIsReset) {
    const auto& [name, pod, service, backend] = kEnds[0];
    tables().add_service({service, kServicePort},
                         {tables().add_backend(backend, 8080), WEIR_BACKEND_NONE});
    std::uint64_t resets = 0;
    for (std::uint16_t i = 0; i < 200; ++i) {
        const auto port = static_cast<std::uint16_t>(kClient + i);
        const Bytes request = tcp_packet(pod, port, service, kServicePort, kSyn);
        resets += egress(request).verdict == kPass ? 0u : 1u;
    }
    EXPECT_NEAR(static_cast<double>(resets), 100, 40);
    EXPECT_EQ(outcome(WEIR_SERVICE_ROUTE_REFUSED), resets);
}

TEST_F(ServicePodTest, PodReachesItselfThroughItsService) {
    deny_all(kPod, WEIR_EGRESS);
    deny_all(kPod, WEIR_INGRESS);
    for (const auto& [name, pod, service, backend] : kEnds) {
        SCOPED_TRACE(name);
        tables().add_service({service, kServicePort}, {tables().add_backend(pod, kBackendPort)});
        for (const std::uint8_t flags : {kSyn, kAck}) {
            const auto answer = static_cast<std::uint8_t>(flags | kAck);
            const Bytes inside = tcp_packet(service, kClient, pod, kBackendPort, flags);
            expect_returned(tcp_packet(pod, kClient, service, kServicePort, flags), inside);
            EXPECT_EQ(ingress(inside, kLoopback).verdict, kPass);
            const Bytes back = tcp_packet(service, kServicePort, pod, kClient, answer);
            expect_returned(tcp_packet(pod, kBackendPort, service, kClient, answer), back);
            EXPECT_EQ(ingress(back, kLoopback).verdict, kPass);
        }
    }
}

// UDP sockets that send to several services from one port; one of the backends is both's.
TEST_F(ServicePodTest, FlowsWithOneBackendAreToldApartByTheirSourcePort) {
    const std::uint32_t shared = tables().add_backend(kPeer4, kBackendPort);
    const char* const names[] = {"10.96.0.1", "10.96.0.2"};
    for (const char* name : names)
        tables().add_service({name, kServicePort}, {shared});
    std::set<std::uint16_t> ports;
    const auto port_of = [](const Bytes& sent) {
        return static_cast<std::uint16_t>(sent[34] << 8 | sent[35]);
    };
    for (const char* name : names) {
        const Passed sent = egress(udp_packet(kPod4, kClient, name, kServicePort));
        const std::uint16_t port = port_of(sent.packet);
        ports.insert(port);
        EXPECT_EQ(sent.packet, frame(udp_packet(kPod4, port, kPeer4, kBackendPort)));
        expect_ingress(udp_packet(kPeer4, kBackendPort, kPod4, port),
                       udp_packet(name, kServicePort, kPod4, kClient));
    }
    // And so is one that the pod has with the backend itself, from the same port.
    for (int again = 0; again < 3; ++again) {
        const Passed direct = egress(udp_packet(kPod4, kClient, kPeer4, kBackendPort));
        const std::uint16_t port = port_of(direct.packet);
        ports.insert(port);
        EXPECT_EQ(direct.packet, frame(udp_packet(kPod4, port, kPeer4, kBackendPort)));
        expect_ingress(udp_packet(kPeer4, kBackendPort, kPod4, port),
                       udp_packet(kPeer4, kBackendPort, kPod4, kClient));
    }
    EXPECT_EQ(ports.size(), 3);
}

TEST_F(ServicePodTest, DirectFlowKeepsItsPort) {
    add_services();
    const Bytes direct = tcp_packet(kPod4, kClient, kPeer4, kBackendPort, kSyn);
    expect_egress(direct, direct);
    const Passed sent = egress(tcp_packet(kPod4, kClient, "10.96.0.1", kServicePort, kSyn));
    EXPECT_EQ(sent.verdict, kPass);
    EXPECT_NE(sent.packet, frame(direct));
    const Bytes answer = tcp_packet(kPeer4, kBackendPort, kPod4, kClient, kSyn | kAck);
    expect_ingress(answer, answer);
}

TEST_F(ServicePodTest, ConnectionsKeepTheirBackendAndNewOnesGetAnother) {
    const std::uint32_t first = tables().add_backend(kPeer4, kBackendPort);
    const std::uint32_t second = tables().add_backend(kStranger4, kBackendPort);
    tables().add_service({"10.96.0.1", kServicePort}, {first, first, first});
    const auto destination_after = [&](const Bytes& packet) {
        const Bytes sent = egress(packet).packet;
        return sent == Bytes() ? 0 : static_cast<int>(sent[33]);
    };
    const auto segment = [](std::uint8_t flags) {
        return tcp_packet(kPod4, kClient, "10.96.0.1", kServicePort, flags);
    };
    const Bytes datagram = udp_packet(kPod4, kClient, "10.96.0.1", kServicePort);
    EXPECT_EQ(destination_after(segment(kSyn)), 2);
    EXPECT_EQ(destination_after(datagram), 2);

    auto& state = services().maps().backends[first].state;
    tables().add_service({"10.96.0.1", kServicePort}, {second});
    state = WEIR_BACKEND_DRAINING;
    EXPECT_EQ(destination_after(segment(kAck)), 2);
    EXPECT_EQ(destination_after(datagram), 9);
    state = WEIR_BACKEND_REMOVED;
    EXPECT_EQ(destination_after(segment(kAck)), 2);
    EXPECT_EQ(destination_after(segment(kSyn)), 9); // its handshake began anew
    EXPECT_EQ(destination_after(segment(kAck)), 9);
}

TEST_F(ServicePodTest, PortIsUsedAgainForAnotherConnection) {
    const std::uint32_t first = tables().add_backend(kPeer4, kBackendPort);
    tables().add_service({"10.96.0.1", kServicePort}, {first});
    const auto exchange = [&](std::uint8_t flags) {
        expect_egress(tcp_packet(kPod4, kClient, "10.96.0.1", kServicePort, flags),
                      tcp_packet(kPod4, kClient, kPeer4, kBackendPort, flags));
        const auto answer = static_cast<std::uint8_t>(flags | kAck);
        expect_ingress(tcp_packet(kPeer4, kBackendPort, kPod4, kClient, answer),
                       tcp_packet("10.96.0.1", kServicePort, kPod4, kClient, answer));
    };
    for (int connection = 0; connection < 2; ++connection) {
        exchange(kSyn);
        exchange(kAck);
        exchange(kFin | kAck);
    }
}

// What the uplink translated without changing the source: the pod answers as itself.
TEST_F(ServicePodTest, AnswerToTheUplinksClientComesFromTheService) {
    for (const auto& [name, pod, service, backend] : kEnds) {
        SCOPED_TRACE(name);
        const bool is_v4 = std::string_view(pod) == kPod4;
        const char* client = is_v4 ? kStranger4 : kStranger6;
        add_outside_flow(pod, client, service, kServicePort, IPPROTO_TCP);
        for (const std::uint8_t flags : {kSyn, kAck}) {
            const auto answer = static_cast<std::uint8_t>(flags | kAck);
            const Bytes request = tcp_packet(client, kClient, pod, kBackendPort, flags);
            for (int again = 0; again < 2; ++again) {
                expect_ingress(request, request);
                expect_egress(tcp_packet(pod, kBackendPort, client, kClient, answer),
                              tcp_packet(service, kServicePort, client, kClient, answer));
            }
        }
    }
}

} // namespace
} // namespace weir::test
