// SPDX-License-Identifier: Apache-2.0
// At the pod's hooks: a flow whose handshake was moved from a backend that did not answer.
#include <arpa/inet.h>

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
    // As the hook does for a socket that it knows.
    void move_flow(const Move& move, std::uint32_t backend) {
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
        for (const std::uint8_t flags : {kAck, kPsh, kAck}) {
            expect_egress(tcp_packet(move.pod, kClient, move.from, kBackendPort, flags),
                          tcp_packet(move.pod, kClient, move.to, kBackendPort, flags));
            expect_ingress(tcp_packet(move.to, kBackendPort, move.pod, kClient, kAck),
                           tcp_packet(move.from, kBackendPort, move.pod, kClient, kAck));
            expect_late_answer_dropped(move, kSyn | kAck);
            expect_late_answer_dropped(move, kRst);
        }
    }
}

// Its SYN comes from a socket that no service gave that backend.
TEST_F(ServiceRetryTest, ALaterConnectionToTheBackendsOwnAddressIsNotMoved) {
    for (const Move& move : kMoves) {
        SCOPED_TRACE(move.from);
        move_flow(move, tables().add_backend(move.to, kBackendPort));
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
