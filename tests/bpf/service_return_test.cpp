// SPDX-License-Identifier: Apache-2.0
// Answers of a pod to clients outside that get the node's own address: the pod's hook sends them,
// because the kernel would not.
#include <fstream>
#include <string>

#include "loader/test_run.h"
#include "tests/bpf/service_pod_fixture.h"
#include "tests/loader/kernel_fixture.h"
#include "tests/support/checksum.h"

namespace weir::test {
namespace {

constexpr std::uint16_t kNodePort = 30080;

// Who is who, in each family.
struct ReturnEnds {
    const char* name;
    const char* pod;
    const char* client;
    const char* node;
    const char* balancer; // an address that leads to the node and is not its own
    bool is_v6;
};
constexpr ReturnEnds kReturnEnds[] = {
    {"IPv4", kPod4, kStranger4, "192.0.2.10", "203.0.113.1", false},
    {"IPv6", kPod6, kStranger6, "2001:db8::10", "2001:db8:1::1", true}};

// A node with an uplink, and a gateway to everybody else.
void build_network() {
    enter_host_netns();
    for (const char* knob : {"ipv4/conf/all/forwarding", "ipv6/conf/all/forwarding"})
        std::ofstream(std::string("/proc/sys/net/") + knob) << "1\n";
    ip("link add up0 type veth peer name out0");
    ip("link set out0 up");
    ip("link set up0 mtu 1400 up");
    ip("addr add 192.0.2.10/24 dev up0");
    ip("-6 addr add 2001:db8::10/64 dev up0 nodad");
    ip("route add default via 192.0.2.1");
    ip("-6 route add default via 2001:db8::1");
}

class ServiceReturnTest : public ServicePodTest {
protected:
    static void SetUpTestSuite() { build_network(); }
    static void TearDownTestSuite() { ip("link del up0"); }

    void add_flow(const ReturnEnds& ends, const char* service, std::uint8_t protocol) {
        add_outside_flow(ends.pod, ends.client, service, kNodePort, protocol);
    }

    // From here to there, "don't fragment".
    static Bytes whole(const ReturnEnds& ends, const char* source, std::uint16_t port,
                       std::uint8_t flags, std::size_t payload = 0, std::uint8_t hops = 64) {
        Bytes packet =
            test::ip(source, ends.client, tcp(port, kClient, flags, payload), {.hop_limit = hops});
        if (!ends.is_v6) packet[6] |= 0x40;
        return with_checksums(packet);
    }

    void open(const ReturnEnds& ends) {
        const Bytes request = tcp_packet(ends.client, kClient, ends.pod, kBackendPort, kSyn);
        expect_ingress(request, request);
    }
    void expect_sent(const Bytes& packet, const Bytes& expected) {
        const Passed passed = egress(packet);
        EXPECT_EQ(passed.verdict, kRedirected) << "reason " << last_reason();
        EXPECT_EQ(passed.packet, frame(expected));
    }
};

TEST_F(ServiceReturnTest, AnAnswerFromTheNodesAddressIsSent) {
    for (const auto& ends : kReturnEnds) {
        SCOPED_TRACE(ends.name);
        add_flow(ends, ends.node, IPPROTO_TCP);
        open(ends);
        for (const int flags : {kSyn | kAck, int{kAck}, kAck | kPsh, kFin | kAck}) {
            const auto bits = static_cast<std::uint8_t>(flags);
            expect_sent(whole(ends, ends.pod, kBackendPort, bits, 20),
                        whole(ends, ends.node, kNodePort, bits, 20, 63));
        }
    }
}

TEST_F(ServiceReturnTest, ADatagramIsSentToo) {
    for (const auto& ends : kReturnEnds) {
        SCOPED_TRACE(ends.name);
        add_flow(ends, ends.node, IPPROTO_UDP);
        const Bytes request = udp_packet(ends.client, kClient, ends.pod, kBackendPort);
        expect_ingress(request, request);
        for (int again = 0; again < 2; ++again)
            expect_sent(udp_packet(ends.pod, kBackendPort, ends.client, kClient),
                        with_checksums(test::ip(ends.node, ends.client, udp(kNodePort, kClient, 9),
                                                {.protocol = IPPROTO_UDP, .hop_limit = 63})));
    }
}

TEST_F(ServiceReturnTest, AnErrorOfThePodIsSentFromTheNode) {
    for (const auto& ends : kReturnEnds) {
        SCOPED_TRACE(ends.name);
        add_flow(ends, ends.node, IPPROTO_UDP);
        const Bytes request = udp_packet(ends.client, kClient, ends.pod, kBackendPort);
        expect_ingress(request, request);
        const Passed passed = egress(error_packet(ends.pod, ends.client, request));
        EXPECT_EQ(passed.verdict, kRedirected) << "reason " << last_reason();
        const SeenPacket seen = read_packet(passed.packet);
        EXPECT_EQ(seen.source, ends.node);
        EXPECT_EQ(seen.hop_limit, 63);
        EXPECT_TRUE(checksums_hold(passed.packet));
    }
}

TEST_F(ServiceReturnTest, AnAnswerFromAnotherAddressIsTheKernels) {
    for (const auto& ends : kReturnEnds) {
        SCOPED_TRACE(ends.name);
        add_flow(ends, ends.balancer, IPPROTO_TCP);
        open(ends);
        for (const int flags : {kSyn | kAck, int{kAck}})
            expect_egress(whole(ends, ends.pod, kBackendPort, static_cast<std::uint8_t>(flags)),
                          whole(ends, ends.balancer, kNodePort, static_cast<std::uint8_t>(flags)));
    }
}

// The kernel tells the pod, which knows of no translation.
TEST_F(ServiceReturnTest, AnAnswerThatEndsHereStaysAsThePodSentIt) {
    for (const auto& ends : kReturnEnds) {
        SCOPED_TRACE(ends.name);
        add_flow(ends, ends.node, IPPROTO_TCP);
        open(ends);
        const std::size_t headers = ends.is_v6 ? 60 : 40;
        for (const int flags : {kSyn | kAck, int{kAck}}) {
            const auto bits = static_cast<std::uint8_t>(flags);
            expect_sent(whole(ends, ends.pod, kBackendPort, bits, 1400 - headers),
                        whole(ends, ends.node, kNodePort, bits, 1400 - headers, 63));
            const Bytes large = whole(ends, ends.pod, kBackendPort, bits, 1401 - headers);
            expect_egress(large, large);
            const Bytes late = whole(ends, ends.pod, kBackendPort, bits, 0, 1);
            expect_egress(late, late);
        }
    }
}

TEST_F(ServiceReturnTest, OfAnOffloadedAnswerItsSegmentsMustFit) {
    for (const auto& ends : kReturnEnds) {
        SCOPED_TRACE(ends.name);
        add_flow(ends, ends.node, IPPROTO_TCP);
        open(ends);
        const std::uint32_t largest = ends.is_v6 ? 1340 : 1360;
        const Bytes packet = frame(whole(ends, ends.pod, kBackendPort, kAck, 2600));
        for (const std::uint32_t size : {largest, largest + 1}) {
            const auto ran = run_packet(dataplane().program_fd(WEIR_EGRESS), as_bytes(packet),
                                        {.ifindex = 1, .gso_segments = 2, .gso_size = size});
            ASSERT_TRUE(ran) << ran.error().what;
            EXPECT_EQ(ran->verdict, size == largest ? kRedirected : kPass);
        }
    }
}

} // namespace
} // namespace weir::test
