// SPDX-License-Identifier: Apache-2.0
// What becomes of packets from outside: each translation both ways, in both families, by both
// programs.
#include "tests/bpf/uplink_fixture.h"

#include <net/if.h>

#include <algorithm>
#include <set>
#include <thread>

#include "tests/loader/kernel_fixture.h"

namespace weir::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Uplink, UplinkTest, testing::ValuesIn(all_uplink_cases()),
                         uplink_case_name);

TEST_P(UplinkTest, ABackendOnThisNodeGetsThePacketWithItsSource) {
    add_service({add_local()});
    for (const auto& frame : {tcp_request(), udp_request()}) {
        const auto result = run(frame);
        EXPECT_EQ(result.fate, Fate::kPassed);
        EXPECT_EQ(result.packet.source, family().client);
        EXPECT_EQ(result.packet.source_port, kClientPort);
        EXPECT_EQ(result.packet.destination, family().local);
        EXPECT_EQ(result.packet.destination_port, kPodPort);
        EXPECT_EQ(result.packet.hop_limit, 64);
        EXPECT_TRUE(checksums_hold(result.frame));
    }
    EXPECT_EQ(outcome(WEIR_UPLINK_LOCAL), 2u);
}

// The pod's egress hook gives the answer the service's address: by this element.
TEST_P(UplinkTest, TheAnswerOfABackendOnThisNodeIsKnown) {
    add_service({add_local()});
    run(tcp_request());
    weir_nat_key key{};
    key.source = address(family().local);
    key.destination = address(family().client);
    key.source_port = htons(kPodPort);
    key.destination_port = htons(kClientPort);
    key.protocol = IPPROTO_TCP;
    const auto nat = uplink().nat().lookup(key);
    ASSERT_TRUE(nat && *nat);
    EXPECT_EQ(SocketEnd(family().service, kServicePort).address.halves[1],
              (*nat)->nat.source.halves[1]);
    EXPECT_EQ(ntohs((*nat)->nat.source_port), kServicePort);
    EXPECT_EQ((*nat)->nat.flags, WEIR_NAT_REPLY);
}

TEST_P(UplinkTest, ABackendOnAnotherNodeGetsItFromThisNode) {
    add_service({add_remote()});
    for (const auto& frame : {tcp_request(), udp_request()}) {
        const auto result = run(frame);
        EXPECT_EQ(result.fate, Fate::kSent);
        EXPECT_EQ(result.is_by_xdp, GetParam().has_xdp);
        EXPECT_EQ(result.packet.source, family().node);
        EXPECT_GE(result.packet.source_port, kFirstPort);
        EXPECT_LE(result.packet.source_port, kLastPort);
        EXPECT_EQ(result.packet.destination, family().remote);
        EXPECT_EQ(result.packet.destination_port, kPodPort);
        EXPECT_EQ(result.packet.hop_limit, 63);
        EXPECT_TRUE(checksums_hold(result.frame));
        if (result.is_by_xdp) {
            EXPECT_EQ(result.frame[5], 0x20) << "to the other node";
        }
    }
    EXPECT_EQ(outcome(WEIR_UPLINK_FORWARDED), 2u);
}

TEST_P(UplinkTest, ItsAnswerGoesToTheClientFromTheService) {
    add_service({add_remote()});
    for (const auto& frame : {tcp_request(), udp_request()}) {
        const auto result = run(answer_to(run(frame).frame));
        EXPECT_EQ(result.fate, Fate::kSent);
        EXPECT_EQ(result.packet.source, family().service);
        EXPECT_EQ(result.packet.source_port, kServicePort);
        EXPECT_EQ(result.packet.destination, family().client);
        EXPECT_EQ(result.packet.destination_port, kClientPort);
        EXPECT_TRUE(checksums_hold(result.frame));
        if (result.is_by_xdp) {
            EXPECT_EQ(result.frame[5], 0xfe) << "to the gateway";
        }
    }
    EXPECT_EQ(outcome(WEIR_UPLINK_ANSWERED), 2u);
}

TEST_P(UplinkTest, AFlowKeepsItsBackendAndPort) {
    const auto first = add_backend(family().remote, false);
    const auto second = add_backend(family().remote, false, 9090);
    add_service({first, second, first, second, first});
    const auto opened = run(tcp_request());
    run(answer_to(opened.frame));
    backend(first).state = WEIR_BACKEND_DRAINING;
    backend(second).state = WEIR_BACKEND_DRAINING;
    for (const std::uint8_t flags : {kAck, kPsh, kFin}) {
        const auto next = run(tcp_request(flags));
        EXPECT_EQ(next.packet.source_port, opened.packet.source_port);
        EXPECT_EQ(next.packet.destination_port, opened.packet.destination_port);
    }
}

TEST_P(UplinkTest, AUdpChecksumOfZeroStaysZero) {
    add_service({add_remote()});
    Bytes frame = udp_request();
    const std::size_t place = read_packet(frame).l4_offset + 6;
    frame[place] = frame[place + 1] = 0;
    const auto result = run(frame);
    EXPECT_EQ(result.fate, Fate::kSent);
    EXPECT_EQ(result.frame[place], 0);
    EXPECT_EQ(result.frame[place + 1], 0);
}

TEST_P(UplinkTest, NoTwoFlowsWithABackendShareASourcePort) {
    add_service({add_remote()});
    std::set<std::uint16_t> ports;
    for (std::uint16_t i = 0; i < 900; ++i)
        ports.insert(
            run(tcp_request(kSyn, static_cast<std::uint16_t>(2000 + i))).packet.source_port);
    EXPECT_EQ(ports.size(), 900u);
    EXPECT_EQ(outcome(WEIR_UPLINK_NO_PORT), 0u);
}

TEST_P(UplinkTest, WithoutAFreeSourcePortAPacketIsDropped) {
    add_service({add_remote()});
    const auto opened = run(tcp_request());
    weir_nat_key key{};
    key.source = address(family().remote);
    key.destination = address(family().node);
    key.source_port = htons(kPodPort);
    key.protocol = IPPROTO_TCP;
    weir_uplink_nat taken{};
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    taken.nat.last_used = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000;
    taken.nat.flags = WEIR_NAT_REPLY;
    for (std::uint32_t port = kFirstPort; port <= kLastPort; ++port) {
        key.destination_port = htons(static_cast<std::uint16_t>(port));
        if (port != opened.packet.source_port) {
            ASSERT_TRUE(uplink().nat().update(key, taken));
        }
    }
    EXPECT_EQ(run(tcp_request(kSyn, 1000)).fate, Fate::kDropped);
    EXPECT_EQ(outcome(WEIR_UPLINK_NO_PORT), 1u);
    // What nobody has used for hours is free.
    taken.nat.last_used = 1;
    for (std::uint32_t port = kFirstPort; port <= kLastPort; ++port) {
        key.destination_port = htons(static_cast<std::uint16_t>(port));
        if (port != opened.packet.source_port) {
            ASSERT_TRUE(uplink().nat().update(key, taken));
        }
    }
    const auto late = run(tcp_request(kSyn, 1000));
    if (static_cast<std::uint64_t>(now.tv_sec) > 9000) {
        EXPECT_EQ(late.fate, Fate::kSent);
        EXPECT_NE(late.packet.source_port, opened.packet.source_port);
    }
}

TEST_P(UplinkTest, AFlowThatLostItsPortLeavesItToTheFlowThatHasIt) {
    add_service({add_remote()});
    const auto opened = run(tcp_request());
    run(answer_to(opened.frame));
    weir_nat_key request{}, answer{};
    request.source = address(family().client);
    request.destination = address(family().service);
    request.source_port = htons(kClientPort);
    request.destination_port = htons(kServicePort);
    answer.source = address(family().remote);
    answer.destination = address(family().node);
    answer.source_port = htons(kPodPort);
    answer.destination_port = htons(opened.packet.source_port);
    request.protocol = answer.protocol = IPPROTO_TCP;
    auto flow = uplink().nat().lookup(request);
    auto others = uplink().nat().lookup(answer);
    ASSERT_TRUE(flow && *flow && others && *others);
    (*others)->nat.destination_port = htons(kClientPort + 1);
    (*flow)->nat.last_used = 1; // the answers' element is looked for once a second
    --(*flow)->nat.tick;
    ASSERT_TRUE(uplink().nat().update(answer, **others));
    ASSERT_TRUE(uplink().nat().update(request, **flow));
    EXPECT_NE(run(tcp_request(kAck)).packet.source_port, opened.packet.source_port);
    const auto left = uplink().nat().lookup(answer);
    ASSERT_TRUE(left && *left);
    EXPECT_EQ((*left)->nat.destination_port, htons(kClientPort + 1));
}

TEST_P(UplinkTest, TheChoiceIsTheFlowsAlone) {
    std::vector<std::uint32_t> slots;
    for (std::uint16_t i = 0; i < 5; ++i)
        slots.push_back(add_backend(family().remote, false, static_cast<std::uint16_t>(8080 + i)));
    add_service(slots);
    std::vector<std::uint16_t> here;
    for (std::uint16_t i = 0; i < 50; ++i)
        here.push_back(
            run(tcp_request(kSyn, static_cast<std::uint16_t>(3000 + i))).packet.destination_port);
    EXPECT_GT(std::set(here.begin(), here.end()).size(), 3u);
    // Another node, which knows none of the flows and whose backends have other ids.
    std::vector<weir_nat_key> flows;
    ASSERT_TRUE(uplink().nat().for_each(
        [&](const weir_nat_key& key, const weir_uplink_nat&) { flows.push_back(key); }));
    ASSERT_FALSE(uplink().nat().erase(flows).error);
    for (auto& id : slots) {
        const auto other = add_backend(family().remote, false, ntohs(backend(id).port));
        id = other;
    }
    add_service(slots);
    for (std::uint16_t i = 0; i < 50; ++i)
        EXPECT_EQ(
            run(tcp_request(kSyn, static_cast<std::uint16_t>(3000 + i))).packet.destination_port,
            here[i]);
}

TEST_P(UplinkTest, AnUnusableBackendsShareGoesToTheNextSlot) {
    const auto gone = add_backend(family().remote, false, 9090);
    add_service({gone, add_remote(), gone});
    backend(gone).state = WEIR_BACKEND_EJECTED;
    for (std::uint16_t i = 0; i < 20; ++i)
        EXPECT_EQ(
            run(tcp_request(kSyn, static_cast<std::uint16_t>(3000 + i))).packet.destination_port,
            kPodPort);
}

TEST_P(UplinkTest, TheShareOfSlotsThatRefuseIsReset) {
    const auto gone = add_backend(family().remote, false, 9090);
    add_service({add_remote(), WEIR_BACKEND_NONE, WEIR_BACKEND_NONE, gone});
    backend(gone).state = WEIR_BACKEND_EJECTED;
    std::uint64_t resets = 0;
    for (std::uint16_t i = 0; i < 200; ++i) {
        const auto result = run(tcp_request(kSyn, static_cast<std::uint16_t>(3000 + i)));
        if (result.packet.destination_port == kPodPort) continue;
        EXPECT_EQ(result.packet.tcp_flags, kRst | kAck);
        ++resets;
    }
    EXPECT_NEAR(static_cast<double>(resets), 100, 40);
    EXPECT_EQ(outcome(WEIR_UPLINK_REFUSED), resets);
}

TEST_P(UplinkTest, ANewConnectionLeavesABackendThatDrains) {
    const auto old = add_remote();
    add_service({old});
    run(tcp_request());
    backend(old).state = WEIR_BACKEND_DRAINING;
    add_service({add_backend(family().remote, false, 9090)});
    EXPECT_EQ(run(tcp_request(kSyn)).packet.destination_port, 9090);
}

TEST_P(UplinkTest, AClientWithAffinityStays) {
    std::vector<std::uint32_t> slots;
    for (std::uint16_t i = 0; i < 5; ++i)
        slots.push_back(add_backend(family().remote, false, static_cast<std::uint16_t>(8080 + i)));
    add_service(slots, 0, 100);
    std::set<std::uint16_t> ports;
    for (std::uint16_t i = 0; i < 20; ++i)
        ports.insert(
            run(tcp_request(kSyn, static_cast<std::uint16_t>(3000 + i))).packet.destination_port);
    EXPECT_EQ(ports.size(), 1u);
}

TEST_P(UplinkTest, OnlyClientsInItsSourceRangesReachTheService) {
    add_service({add_remote()}, WEIR_SERVICE_SOURCE_RANGES);
    EXPECT_EQ(run(tcp_request()).fate, Fate::kDropped);
    EXPECT_EQ(outcome(WEIR_UPLINK_SOURCE), 1u);
    add_source_range(family().is_v6 ? "2001:db8:7::" : "198.51.100.0", family().is_v6 ? 48 : 24);
    EXPECT_EQ(run(tcp_request()).fate, Fate::kSent);
}

TEST_P(UplinkTest, APortThatTheServiceDoesNotHaveIsDropped) {
    add_service({add_remote()});
    add_wildcard();
    EXPECT_EQ(run(request(tcp(kClientPort, 81), IPPROTO_TCP)).fate, Fate::kDropped);
    EXPECT_EQ(outcome(WEIR_UPLINK_NO_SUCH_PORT), 1u);
}

TEST_P(UplinkTest, WhatIsNoServicesStaysUntouched) {
    add_service({add_remote()});
    for (const auto& frame :
         {request(tcp(kClientPort, 22), IPPROTO_TCP), request(udp(kClientPort, 53), IPPROTO_UDP),
          request(icmp(family().is_v6 ? 128 : 8, 0, 1), icmp_protocol()),
          frame(with_checksums(
              ip(family().client, family().node, tcp(kClientPort, kServicePort))))}) {
        const auto result = run(frame);
        EXPECT_EQ(result.fate, Fate::kPassed);
        EXPECT_EQ(result.frame, frame);
    }
}

TEST_P(UplinkTest, WhatIsNotForTheNodesMacStaysUntouched) {
    add_service({add_remote()});
    Bytes sent = tcp_request();
    for (const int first : {0x06, 0x03, 0xff}) { // another machine, a group, everybody
        std::fill_n(sent.begin(), 6, static_cast<std::uint8_t>(first));
        const auto result = run(sent);
        EXPECT_EQ(result.fate, Fate::kPassed) << first;
        EXPECT_EQ(result.frame, sent);
    }
    std::size_t flows = 0;
    ASSERT_TRUE(
        uplink().nat().for_each([&](const weir_nat_key&, const weir_uplink_nat&) { ++flows; }));
    EXPECT_EQ(flows, 0u);
}

TEST_P(UplinkTest, AnInterfaceWithAnotherMacIsToBeAttachedAgain) {
    const std::uint32_t ifindex = ::if_nametoindex("pods0");
    const auto attached = uplink().attach(ifindex, UplinkWish::kTc);
    ASSERT_TRUE(attached);
    EXPECT_TRUE(uplink().is_attached(*attached).value());
    ip("link set pods0 address " + std::string(GetParam().has_xdp ? "06" : "0a") +
       ":00:00:00:00:" + (family().is_v6 ? "06" : "04"));
    EXPECT_FALSE(uplink().is_attached(*attached).value());
    ASSERT_TRUE(uplink().attach(ifindex, UplinkWish::kTc));
    EXPECT_TRUE(uplink().is_attached(*attached).value());
    EXPECT_TRUE(uplink().detach(ifindex));
}

TEST_P(UplinkTest, WithoutABackendAConnectionIsReset) {
    add_service({});
    const auto result = run(tcp_request());
    EXPECT_EQ(result.fate, Fate::kSent);
    EXPECT_EQ(result.packet.source, family().service);
    EXPECT_EQ(result.packet.source_port, kServicePort);
    EXPECT_EQ(result.packet.destination, family().client);
    EXPECT_EQ(result.packet.tcp_flags, kRst | kAck);
    EXPECT_TRUE(checksums_hold(result.frame));
    EXPECT_EQ(outcome(WEIR_UPLINK_REFUSED), 1u);
}

TEST_P(UplinkTest, AFloodIsNotAnsweredByAFloodOfErrors) {
    constexpr int kFlood = 2000;
    const auto earn_all = [] { std::this_thread::sleep_for(std::chrono::milliseconds(100)); };
    add_service({});
    int answered = 0;
    earn_all();
    for (int i = 0; i < kFlood; ++i)
        answered += run(udp_request()).fate == Fate::kSent ? 1 : 0;
    earn_all(); // for the tests after
    EXPECT_GE(answered, WEIR_ERROR_BURST);
    EXPECT_LT(answered, kFlood / 2);
    EXPECT_EQ(outcome(WEIR_UPLINK_REFUSED), static_cast<std::uint64_t>(kFlood));
}

TEST_P(UplinkTest, WithoutABackendOnThisNodeWhereOnlyThoseCountItIsDropped) {
    add_service({}, WEIR_SERVICE_NONE_HERE);
    for (const auto& frame : {tcp_request(), udp_request()})
        EXPECT_EQ(run(frame).fate, Fate::kDropped);
    EXPECT_EQ(outcome(WEIR_UPLINK_NONE_HERE), 2u);
    EXPECT_EQ(outcome(WEIR_UPLINK_REFUSED), 0u);
}

TEST_P(UplinkTest, WithoutABackendADatagramIsAnsweredByAnError) {
    add_service({});
    const auto sent = udp_request();
    const auto result = run(sent);
    EXPECT_EQ(result.fate, Fate::kSent);
    EXPECT_EQ(result.packet.icmp_type, family().is_v6 ? 1 : 3);
    EXPECT_EQ(result.packet.icmp_code, family().is_v6 ? 4 : 3);
    EXPECT_EQ(result.packet.destination, family().client);
    EXPECT_TRUE(checksums_hold(result.frame));
    EXPECT_EQ(read_packet(result.frame, result.packet.l4_offset + 8).destination, family().service);
}

TEST_P(UplinkTest, APacketWhoseTimeToLiveEndsIsLeftToTheStack) {
    add_service({add_remote()});
    const auto frame = request(tcp(kClientPort, kServicePort), IPPROTO_TCP, {.hop_limit = 1});
    const auto result = run(frame);
    EXPECT_EQ(result.fate, Fate::kPassed);
    EXPECT_EQ(result.frame, frame);
    EXPECT_EQ(outcome(WEIR_UPLINK_EXPIRED), 1u);
}

} // namespace
} // namespace weir::test
