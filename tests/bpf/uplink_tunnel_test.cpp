// SPDX-License-Identifier: Apache-2.0
// Services whose backends answer the client themselves (DSR), ICMP errors about translated flows,
// fragments, packets that are too big.
#include <algorithm>

#include "tests/bpf/uplink_fixture.h"

namespace weir::test {
namespace {

class UplinkTunnelTest : public UplinkTest {
protected:
    std::size_t outer_length() const { return family().is_v6 ? 40 : 20; }
    std::uint8_t outer_protocol() const { return family().is_v6 ? 41 : 4; }
    // As another node sends it to this node's pod.
    Bytes encapsulated(const Bytes& sent, const char* backend) const {
        const Bytes inner(sent.begin() + 14, sent.end());
        const char* node = family().is_v6 ? "2001:db8::20" : "192.0.2.20";
        return frame(with_checksums(ip(node, backend, inner, {.protocol = outer_protocol()})));
    }
    // An ICMP error by somebody on the way, about a packet that was sent.
    Bytes error_about(const Bytes& sent, const char* source) const {
        const SeenPacket packet = read_packet(sent);
        const Bytes quoted(sent.begin() + 14,
                           sent.begin() + static_cast<std::ptrdiff_t>(packet.l4_offset + 8));
        const std::uint8_t type = family().is_v6 ? 2 : 3, code = family().is_v6 ? 0 : 4;
        return frame(with_checksums(
            ip(source, packet.source, icmp(type, code, 0, quoted), {.protocol = icmp_protocol()})));
    }
    // What an ICMP error quotes.
    static SeenPacket quoted(const UplinkResult& error) {
        return read_packet(error.frame, error.packet.l4_offset + 8);
    }
};

INSTANTIATE_TEST_SUITE_P(Uplink, UplinkTunnelTest, testing::ValuesIn(all_uplink_cases()),
                         uplink_case_name);

TEST_P(UplinkTunnelTest, ABackendOnAnotherNodeGetsTheWholePacketInAnOuterHeader) {
    add_service({add_remote()}, WEIR_SERVICE_DSR);
    for (const auto& sent : {tcp_request(), tcp_request(kAck), udp_request()}) {
        const auto result = run(sent);
        EXPECT_EQ(result.fate, Fate::kSent);
        EXPECT_EQ(result.is_by_xdp, GetParam().has_xdp);
        EXPECT_EQ(result.packet.source, family().node);
        EXPECT_EQ(result.packet.destination, family().remote);
        EXPECT_EQ(result.packet.protocol, outer_protocol());
        EXPECT_EQ(result.frame.size(), sent.size() + outer_length());
        EXPECT_TRUE(checksums_hold(result.frame));
        const auto inner = read_packet(result.frame, 14 + outer_length());
        EXPECT_EQ(inner.source, family().client);
        EXPECT_EQ(inner.destination, family().service);
        EXPECT_EQ(inner.destination_port, kServicePort);
        EXPECT_EQ(inner.hop_limit, 63);
        EXPECT_TRUE(checksums_hold(result.frame, 14 + outer_length()));
    }
    EXPECT_EQ(outcome(WEIR_UPLINK_ENCAPSULATED), 3u);
}

TEST_P(UplinkTunnelTest, TheBackendsNodeUnpacksAndTranslates) {
    add_service({add_remote(), add_local(), add_backend("10.0.0.9", true, 99)}, WEIR_SERVICE_DSR);
    for (const auto& sent : {tcp_request(), tcp_request(kAck), udp_request()}) {
        const auto result = run(encapsulated(sent, family().local));
        EXPECT_EQ(result.fate, Fate::kPassed);
        EXPECT_EQ(result.frame.size(), sent.size());
        EXPECT_EQ(result.packet.source, family().client);
        EXPECT_EQ(result.packet.source_port, kClientPort);
        EXPECT_EQ(result.packet.destination, family().local);
        EXPECT_EQ(result.packet.destination_port, kPodPort);
        EXPECT_TRUE(checksums_hold(result.frame));
        EXPECT_TRUE(std::equal(result.frame.begin(), result.frame.begin() + 14, sent.begin()));
    }
    EXPECT_EQ(outcome(WEIR_UPLINK_DECAPSULATED), 3u);
}

TEST_P(UplinkTunnelTest, ATunnelOfSomebodyElseStaysUntouched) {
    add_service({add_local()}, WEIR_SERVICE_SOURCE_RANGES); // none for DSR, nor for the client
    add_wildcard();
    for (const auto& inside : {tcp_request(), request(tcp(kClientPort, 81), IPPROTO_TCP)}) {
        const auto sent = encapsulated(inside, family().local);
        const auto result = run(sent);
        EXPECT_EQ(result.fate, Fate::kPassed);
        EXPECT_EQ(result.frame, sent);
    }
}

TEST_P(UplinkTunnelTest, InsideATunnelSourceRangesHoldToo) {
    add_service({add_local()}, WEIR_SERVICE_DSR | WEIR_SERVICE_SOURCE_RANGES);
    const auto sent = encapsulated(tcp_request(), family().local);
    EXPECT_EQ(run(sent).frame, sent);
    EXPECT_EQ(outcome(WEIR_UPLINK_LOCAL), 0u);
}

TEST_P(UplinkTunnelTest, WhatDoesNotFitWithTheOuterHeaderIsAnsweredWithTheSizeThatDoes) {
    add_service({add_remote()}, WEIR_SERVICE_DSR);
    const std::size_t headers = family().is_v6 ? 60 : 40;
    EXPECT_EQ(run(tcp_request(kSyn, kClientPort, 1500 - outer_length() - headers)).packet.protocol,
              outer_protocol());
    const auto result = run(tcp_request(kAck, kClientPort, 1500 - outer_length() - headers + 1));
    EXPECT_EQ(result.fate, Fate::kSent);
    EXPECT_EQ(result.packet.destination, family().client);
    EXPECT_EQ(result.packet.icmp_type, family().is_v6 ? 2 : 3);
    EXPECT_EQ(result.packet.icmp_code, family().is_v6 ? 0 : 4);
    const auto place = result.packet.l4_offset + 6;
    EXPECT_EQ(result.frame[place] << 8 | result.frame[place + 1], 1500 - outer_length());
    EXPECT_EQ(quoted(result).destination, family().service);
    EXPECT_TRUE(checksums_hold(result.frame));
    EXPECT_EQ(outcome(WEIR_UPLINK_TOO_BIG), 1u);
}

TEST_P(UplinkTunnelTest, AnErrorAboutAForwardedPacketReachesTheClientAsItsOwn) {
    add_service({add_remote()});
    for (const auto& sent : {tcp_request(), udp_request()}) {
        const auto result = run(error_about(run(sent).frame, family().router));
        EXPECT_EQ(result.fate, Fate::kSent);
        EXPECT_EQ(result.packet.source, family().router);
        EXPECT_EQ(result.packet.destination, family().client);
        EXPECT_TRUE(checksums_hold(result.frame));
        EXPECT_EQ(quoted(result).source, family().client);
        EXPECT_EQ(quoted(result).source_port, kClientPort);
        EXPECT_EQ(quoted(result).destination, family().service);
        EXPECT_EQ(quoted(result).destination_port, kServicePort);
    }
    EXPECT_EQ(outcome(WEIR_UPLINK_ERROR), 2u);
}

TEST_P(UplinkTunnelTest, AnErrorOfTheBackendComesFromTheService) {
    add_service({add_remote()});
    const auto result = run(error_about(run(udp_request()).frame, family().remote));
    EXPECT_EQ(result.packet.source, family().service);
    EXPECT_EQ(result.packet.destination, family().client);
}

TEST_P(UplinkTunnelTest, AnErrorAboutAnAnswerReachesTheBackend) {
    add_service({add_remote()});
    const auto forwarded = run(tcp_request());
    const auto answer = run(answer_to(forwarded.frame));
    const auto result = run(error_about(answer.frame, family().router));
    EXPECT_EQ(result.fate, Fate::kSent);
    EXPECT_EQ(result.packet.destination, family().remote);
    EXPECT_EQ(quoted(result).source, family().remote);
    EXPECT_EQ(quoted(result).source_port, kPodPort);
    EXPECT_EQ(quoted(result).destination, family().node);
    EXPECT_EQ(quoted(result).destination_port, forwarded.packet.source_port);
    EXPECT_TRUE(checksums_hold(result.frame));
}

TEST_P(UplinkTunnelTest, AnErrorAboutAnAnswerReachesABackendOnThisNodeThroughTheStack) {
    for (const char* address : {family().local, family().node}) {
        add_service({add_backend(address, true)});
        const auto sent = tcp_request(kSyn, address == family().local ? 2000 : 2001);
        run(sent);
        const auto result = run(error_about(answer_to(sent), family().router));
        EXPECT_EQ(result.fate, Fate::kPassed);
        EXPECT_EQ(result.packet.source, family().router);
        EXPECT_EQ(result.packet.destination, address);
        EXPECT_EQ(quoted(result).source, address);
        EXPECT_EQ(quoted(result).source_port, kPodPort);
        EXPECT_EQ(quoted(result).destination, family().client);
        EXPECT_TRUE(checksums_hold(result.frame));
    }
    EXPECT_EQ(outcome(WEIR_UPLINK_ERROR), 2u);
}

TEST_P(UplinkTunnelTest, AnErrorForABackendThatAnswersItselfGoesToItAndIsUnpackedThere) {
    add_service({add_remote()}, WEIR_SERVICE_DSR);
    const auto sent = tcp_request();
    run(sent);
    const auto error = error_about(answer_to(sent), family().router);
    const auto result = run(error);
    EXPECT_EQ(result.packet.destination, family().remote);
    EXPECT_EQ(result.packet.protocol, outer_protocol());
    EXPECT_EQ(read_packet(result.frame, 14 + outer_length()).destination, family().service);
}

TEST_P(UplinkTunnelTest, TheOtherFragmentsFollowTheFirst) {
    add_service({add_remote()});
    const Bytes first = udp(kClientPort, kServicePort, 24);
    const auto part = [&](const Bytes& transport, std::uint16_t offset, bool more) {
        return request(transport, IPPROTO_UDP,
                       {.fragment_offset = offset, .more_fragments = more, .identification = 77});
    };
    EXPECT_EQ(run(part(Bytes(16, 7), 32, false)).fate, Fate::kPassed) << "before the first";
    const auto opened = run(part(first, 0, true));
    EXPECT_EQ(opened.fate, Fate::kSent);
    EXPECT_EQ(opened.packet.destination, family().remote);
    const auto next = run(part(Bytes(16, 7), 32, false));
    EXPECT_EQ(next.fate, Fate::kSent);
    EXPECT_EQ(next.packet.source, family().node);
    EXPECT_EQ(next.packet.destination, family().remote);
    EXPECT_TRUE(family().is_v6 || checksums_hold(next.frame));
}

TEST_P(UplinkTunnelTest, APacketWithOptionsIsTranslatedToo) {
    if (family().is_v6) return; // extension headers: parsed as for pods
    add_service({add_remote()});
    const auto result =
        run(request(tcp(kClientPort, kServicePort), IPPROTO_TCP, {.header_options = 8}));
    EXPECT_EQ(result.fate, Fate::kSent);
    EXPECT_FALSE(result.is_by_xdp);
    EXPECT_EQ(result.packet.destination, family().remote);
    EXPECT_TRUE(checksums_hold(result.frame));
}

} // namespace
} // namespace weir::test
