// SPDX-License-Identifier: Apache-2.0
// Services per packet at the pod: ICMP errors about translated packets, and fragments.
#include <arpa/inet.h>

#include "tests/bpf/service_pod_fixture.h"

namespace weir::test {
namespace {

TEST_F(ServicePodTest, ErrorsQuoteWhatThePodSent) {
    add_services();
    deny_all(kPod, WEIR_INGRESS);
    for (const auto& [name, pod, service, backend] : kEnds) {
        SCOPED_TRACE(name);
        const char* router = std::string_view(pod) == kPod4 ? kStranger4 : kStranger6;
        const Bytes sent = tcp_packet(pod, kClient, service, kServicePort, kSyn);
        const Bytes gone = tcp_packet(pod, kClient, backend, kBackendPort, kSyn);
        expect_egress(sent, gone);
        // From a router on the way, and from the backend itself.
        expect_ingress(error_packet(router, pod, gone), error_packet(router, pod, sent));
        expect_ingress(error_packet(backend, pod, gone), error_packet(service, pod, sent));

        const Bytes datagram = udp_packet(pod, kClient, service, kServicePort);
        const Bytes translated = udp_packet(pod, kClient, backend, kBackendPort);
        expect_egress(datagram, translated);
        expect_ingress(error_packet(router, pod, translated), error_packet(router, pod, datagram));
    }
}

TEST_F(ServicePodTest, PodsErrorsQuoteWhatTheBackendSent) {
    add_services();
    for (const auto& [name, pod, service, backend] : kEnds) {
        SCOPED_TRACE(name);
        expect_egress(udp_packet(pod, kClient, service, kServicePort),
                      udp_packet(pod, kClient, backend, kBackendPort));
        const Bytes answer = udp_packet(backend, kBackendPort, pod, kClient);
        const Bytes seen = udp_packet(service, kServicePort, pod, kClient);
        expect_ingress(answer, seen);
        allow_port(kPod, WEIR_EGRESS, IPPROTO_UDP, kBackendPort); // and no ICMP
        expect_egress(error_packet(pod, service, seen), error_packet(pod, backend, answer));
        allow_all(kPod, WEIR_EGRESS);
    }
}

// One datagram in two parts; its checksum covers both.
struct Parts {
    Bytes first, second;
};

Parts parts_of(const Bytes& datagram, std::uint32_t identification) {
    const bool is_v4 = datagram[0] >> 4 == 4;
    const auto transport = datagram.begin() + (is_v4 ? 20 : 40);
    const auto text = [&](std::size_t at) {
        char buffer[INET6_ADDRSTRLEN] = {};
        inet_ntop(is_v4 ? AF_INET : AF_INET6, &datagram[at], buffer, sizeof(buffer));
        return std::string(buffer);
    };
    const std::string source = text(is_v4 ? 12 : 8), destination = text(is_v4 ? 16 : 24);
    const auto part = [&](const Bytes& bytes, std::uint16_t offset, bool has_more) {
        Bytes packet = ip(source, destination, bytes,
                          {.protocol = IPPROTO_UDP,
                           .fragment_offset = offset,
                           .more_fragments = has_more,
                           .identification = identification});
        return is_v4 ? with_checksums(packet) : packet;
    };
    return {part(Bytes(transport, transport + 16), 0, true),
            part(Bytes(transport + 16, datagram.end()), 16, false)};
}

TEST_F(ServicePodTest, FragmentsFollowTheirFirst) {
    add_services();
    for (const auto& [name, pod, service, backend] : kEnds) {
        SCOPED_TRACE(name);
        const Parts sent = parts_of(udp_packet(pod, kClient, service, kServicePort, 20), 77);
        const Parts gone = parts_of(udp_packet(pod, kClient, backend, kBackendPort, 20), 77);
        expect_egress(sent.first, gone.first);
        expect_egress(sent.second, gone.second);
        const Parts answer = parts_of(udp_packet(backend, kBackendPort, pod, kClient, 20), 78);
        const Parts seen = parts_of(udp_packet(service, kServicePort, pod, kClient, 20), 78);
        expect_ingress(answer.first, seen.first);
        expect_ingress(answer.second, seen.second);
        expect_dropped(parts_of(udp_packet(pod, kClient, service, kServicePort, 20), 79).second,
                       WEIR_DROP_FRAGMENT_ORPHAN);
    }
}

// Another pod's established flow outlasts it; what is beyond the pod's share is left untouched.
TEST_F(ServicePodTest, FloodOfNewFlowsEvictsNoOtherPodsTranslation) {
    add_services();
    expect_egress(tcp_packet(kPod4, kClient, "10.96.0.1", kServicePort, kSyn),
                  tcp_packet(kPod4, kClient, kPeer4, kBackendPort, kSyn));
    for (int i = 0; i < 20 * kNewFlows; ++i)
        fast_run(kOther, WEIR_EGRESS,
                 frame(udp_packet(kOther4, static_cast<std::uint16_t>(1024 + i), "10.96.0.1",
                                  kServicePort)));
    EXPECT_GT(outcome(WEIR_SERVICE_NAT_FULL), 0);
    expect_ingress(tcp_packet(kPeer4, kBackendPort, kPod4, kClient, kSyn | kAck),
                   tcp_packet("10.96.0.1", kServicePort, kPod4, kClient, kSyn | kAck));
}

} // namespace
} // namespace weir::test
