// SPDX-License-Identifier: Apache-2.0
// At the pod's hooks: a flow whose handshake was moved from a backend that did not answer.
#include <arpa/inet.h>

#include <ctime>
#include <utility>

#include "tests/bpf/service_pod_fixture.h"

namespace weir::test {
namespace {

struct Move {
    const char* pod;
    const char* from; // a backend that the process believes to be its peer
    const char* to;
};
constexpr Move kMoves[] = {{kPod4, "10.0.0.9", kPeer4}, {kPod6, "fd00::9", kPeer6}};

class ServiceRetryTest : public ServicePodTest {
protected:
    // As the handshake's program does. age: since then, in seconds.
    void move_flow(const Move& move, std::uint32_t backend, std::uint64_t age = 0) {
        timespec now{};
        clock_gettime(CLOCK_MONOTONIC, &now);
        weir_nat_key key{};
        key.source = address(move.pod);
        key.destination = address(move.from);
        key.source_port = htons(kClient);
        key.destination_port = htons(kBackendPort);
        key.protocol = IPPROTO_TCP;
        weir_nat_key back = key;
        back.source = address(move.to);
        back.destination = key.source;
        std::swap(back.source_port, back.destination_port);
        weir_nat forward{}, reply{};
        forward.source = key.source;
        forward.destination = back.source;
        forward.source_port = key.source_port;
        forward.destination_port = key.destination_port;
        forward.backend = backend;
        forward.generation = services().maps().backends[backend].generation;
        forward.flags = WEIR_NAT_MOVED;
        forward.last_used = (static_cast<std::uint64_t>(now.tv_sec) - age) * 1'000'000'000 +
                            static_cast<std::uint64_t>(now.tv_nsec);
        reply = forward;
        reply.source = key.destination;
        reply.destination = key.source;
        std::swap(reply.source_port, reply.destination_port);
        reply.flags |= WEIR_NAT_REPLY;
        ASSERT_TRUE(dataplane().maps().translations->update(key, forward));
        ASSERT_TRUE(dataplane().maps().translations->update(back, reply));
    }
    void expect_late_answer_dropped(const Move& move, std::uint8_t flags) {
        EXPECT_EQ(ingress(tcp_packet(move.from, kBackendPort, move.pod, kClient, flags)).verdict,
                  kDropped);
        EXPECT_EQ(last_reason(), WEIR_DROP_SERVICE_MOVED);
    }
};

TEST_F(ServiceRetryTest, TheProcessGoesOnTalkingToTheBackendThatItKnows) {
    for (const Move& move : kMoves) {
        SCOPED_TRACE(move.from);
        move_flow(move, tables().add_backend(move.to, kBackendPort));
        for (const std::uint8_t flags : {kSyn, kSyn, kAck, kPsh, kAck}) {
            const std::uint8_t answer = flags == kSyn ? kSyn | kAck : kAck;
            expect_egress(tcp_packet(move.pod, kClient, move.from, kBackendPort, flags),
                          tcp_packet(move.pod, kClient, move.to, kBackendPort, flags));
            expect_ingress(tcp_packet(move.to, kBackendPort, move.pod, kClient, answer),
                           tcp_packet(move.from, kBackendPort, move.pod, kClient, answer));
            expect_late_answer_dropped(move, kSyn | kAck);
            expect_late_answer_dropped(move, kRst);
        }
    }
}

TEST_F(ServiceRetryTest, ALaterConnectionToTheBackendsOwnAddressIsNotMoved) {
    for (const Move& move : kMoves) {
        SCOPED_TRACE(move.from);
        move_flow(move, tables().add_backend(move.to, kBackendPort), 2);
        for (const std::uint8_t flags : {kSyn, kAck}) {
            const std::uint8_t answer = flags == kSyn ? kSyn | kAck : kAck;
            const auto request = tcp_packet(move.pod, kClient, move.from, kBackendPort, flags);
            expect_egress(request, request);
            const auto reply = tcp_packet(move.from, kBackendPort, move.pod, kClient, answer);
            expect_ingress(reply, reply);
        }
    }
    int elements = 0;
    EXPECT_TRUE(
        dataplane().maps().translations->for_each([&](const auto&, const auto&) { ++elements; }));
    EXPECT_EQ(elements, 0);
}

} // namespace
} // namespace weir::test
