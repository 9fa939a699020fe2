// SPDX-License-Identifier: Apache-2.0
// What goes through a service in a flow that was answered: the pod's hooks end in programs that
// write (bpf/rewrite.h).
#include <bpf/bpf.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

#include "loader/fd.h"
#include "tests/bpf/service_pod_fixture.h"

namespace weir::test {
namespace {

using ServiceWriterTest = ServicePodTest;

// Takes the program out through which the hooks write, as long as it lives.
class WithoutWriter {
public:
    WithoutWriter(const Dataplane& dataplane, std::string_view array) {
        for (const MapInfo& map : dataplane.map_infos())
            if (map.name == array) array_ = Fd(bpf_map_get_fd_by_id(map.id));
        std::uint32_t id = 0;
        EXPECT_EQ(bpf_map_lookup_elem(array_.value(), &kIndex, &id), 0) << array;
        program_ = Fd(bpf_prog_get_fd_by_id(id));
        EXPECT_EQ(bpf_map_delete_elem(array_.value(), &kIndex), 0);
    }
    WithoutWriter(const WithoutWriter&) = delete;
    WithoutWriter& operator=(const WithoutWriter&) = delete;
    ~WithoutWriter() { put(program_); }

    void put(const Fd& program) const {
        const int fd = program.value();
        EXPECT_EQ(bpf_map_update_elem(array_.value(), &kIndex, &fd, BPF_ANY), 0);
    }

private:
    static constexpr std::uint32_t kIndex = 0;
    Fd array_, program_;
};

TEST_F(ServiceWriterTest, AHookWithoutItsWriterTranslatesAlike) {
    add_services();
    const WithoutWriter of_egress(dataplane(), "weir_egress_writer");
    const WithoutWriter of_ingress(dataplane(), "weir_ingress_writer");
    for (const auto& [name, pod, service, backend] : kEnds) {
        SCOPED_TRACE(name);
        for (int again = 0; again < 3; ++again) {
            const std::uint8_t flags = again == 0 ? kSyn : kAck;
            const std::uint8_t answer = again == 0 ? kSyn | kAck : kAck;
            expect_egress(tcp_packet(pod, kClient, service, kServicePort, flags),
                          tcp_packet(pod, kClient, backend, kBackendPort, flags));
            expect_ingress(tcp_packet(backend, kBackendPort, pod, kClient, answer),
                           tcp_packet(service, kServicePort, pod, kClient, answer));
            expect_egress(udp_packet(pod, kClient, service, kServicePort),
                          udp_packet(pod, kClient, backend, kBackendPort));
            expect_ingress(udp_packet(backend, kBackendPort, pod, kClient),
                           udp_packet(service, kServicePort, pod, kClient));
        }
    }
}

// A program in the writer's place that is known by its verdict.
Fd load_stand_in() {
    bpf_insn program[2] = {};
    program[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
    program[0].imm = kRedirected;
    program[1].code = BPF_JMP | BPF_EXIT;
    bpf_prog_load_opts options{};
    options.sz = sizeof(options);
    options.expected_attach_type = BPF_TCX_INGRESS;
    return Fd(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "stand_in", "GPL", program, 2, &options));
}

// Where the kernel says how far a checksum is computed: since Linux 6.2.
bool has_writers() {
    utsname name{};
    uname(&name);
    int major = 0, minor = 0;
    std::sscanf(name.release, "%d.%d", &major, &minor);
    return std::pair(major, minor) >= std::pair(6, 2);
}

TEST_F(ServiceWriterTest, AHookEndsInItsWriterOnceTheFlowIsAnswered) {
    add_services();
    const auto& [name, pod, service, backend] = kEnds[0];
    const Fd stand_in = load_stand_in();
    ASSERT_TRUE(stand_in.is_open());
    const WithoutWriter of_egress(dataplane(), "weir_egress_writer");
    of_egress.put(stand_in);
    const auto send = [&](std::uint8_t flags) {
        return egress(tcp_packet(pod, kClient, service, kServicePort, flags)).verdict;
    };
    EXPECT_EQ(send(kSyn), kPass);
    expect_ingress(tcp_packet(backend, kBackendPort, pod, kClient, kSyn | kAck),
                   tcp_packet(service, kServicePort, pod, kClient, kSyn | kAck));
    EXPECT_EQ(send(kAck), has_writers() ? kRedirected : kPass);
}

// UDP: what has no checksum gets none, and a sum that comes to 0 is written as 0xffff.
TEST_F(ServiceWriterTest, AUdpChecksumOfZeroSaysThatThereIsNone) {
    add_services();
    for (const auto& [name, pod, service, backend] : kEnds) {
        SCOPED_TRACE(name);
        const std::size_t check = (pod == kPod6 ? 40 : 20) + 6;
        const auto packet_with = [&](const char* to, std::uint16_t port,
                                     std::array<std::uint8_t, 2> last) {
            Bytes packet = ip(pod, to, udp(kClient, port, 32), {.protocol = IPPROTO_UDP});
            std::ranges::copy(last, packet.end() - 2);
            return with_checksums(std::move(packet));
        };
        expect_egress(packet_with(service, kServicePort, {}),
                      packet_with(backend, kBackendPort, {}));
        expect_ingress(udp_packet(backend, kBackendPort, pod, kClient),
                       udp_packet(service, kServicePort, pod, kClient));
        // The sum without these two bytes, so that with them it comes to 0.
        const Bytes without = packet_with(backend, kBackendPort, {});
        const std::array last{without[check], without[check + 1]};
        Bytes expected = packet_with(backend, kBackendPort, last);
        ASSERT_EQ(expected[check] | expected[check + 1], 0);
        expected[check] = expected[check + 1] = 0xff;
        for (int again = 0; again < 2; ++again)
            expect_egress(packet_with(service, kServicePort, last), expected);
        if (pod == kPod6) continue; // IPv6 demands one
        Bytes sent = udp_packet(pod, kClient, service, kServicePort);
        Bytes gone = udp_packet(pod, kClient, backend, kBackendPort);
        for (Bytes* packet : {&sent, &gone})
            (*packet)[check] = (*packet)[check + 1] = 0;
        for (int again = 0; again < 2; ++again)
            expect_egress(sent, gone);
    }
}

} // namespace
} // namespace weir::test
