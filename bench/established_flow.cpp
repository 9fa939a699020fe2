// SPDX-License-Identifier: Apache-2.0
#include "bench/established_flow.h"

#include <netinet/in.h>

#include <optional>
#include <string>

#include "loader/test_run.h"

namespace weir::bench {
namespace {

constexpr std::uint32_t kLoopback = 1;
constexpr std::uint32_t kElsewhere = 2; // where forwarded packets came in
constexpr std::uint32_t kRepeat = 20'000;
constexpr std::uint16_t kPodPort = 40'000;

struct Server {
    std::string address;
    std::uint16_t port = 0;
};

// Of a block outside the cluster: no change of a pod changes what is allowed.
std::optional<Server> allowed_server(const Compiler& compiler) {
    for (unsigned block = 0; block < 200; block++) {
        const auto text =
            "172." + std::to_string(16 + block % 16) + "." + std::to_string(block) + ".1";
        for (std::uint16_t port = 8000; port < 8100; port++) {
            if (compiler
                    .judge(EstablishedFlow::kSlot, WEIR_EGRESS, *Address::parse(text), IPPROTO_TCP,
                           port)
                    .is_allowed)
                return Server{text, port};
        }
    }
    return std::nullopt;
}

} // namespace

Result<> EstablishedFlow::bind(CompilerRig& rig, const LocalPod& pod) {
    PodFacts facts;
    facts.ifindex = kLoopback;
    facts.mac = {2, 0, 0, 0, 0, 1};
    for (std::size_t i = 0; i < pod.addresses.size(); i++)
        facts.addresses[i] = pod.addresses[i].to_abi();
    if (auto done = rig.dataplane().write_pod(kSlot, facts); !done) return done;
    return rig.dataplane().bind(kLoopback, kSlot);
}

Result<EstablishedFlow> EstablishedFlow::open(CompilerRig& rig, const LocalPod& pod) {
    const auto server = allowed_server(rig.compiler());
    if (!server) return failure("the watched pod may reach no block outside the cluster");
    const std::string client = pod.addresses[0].to_string();
    const test::FrameOptions to_pod{.destination = {2, 0, 0, 0, 0, 1}, .vlans = {}};
    const auto sent = [&](std::uint8_t flags) {
        return test::frame(
            test::ip(client, server->address, test::tcp(kPodPort, server->port, flags)));
    };
    const auto answer =
        test::frame(test::ip(server->address, client,
                             test::tcp(server->port, kPodPort, test::kSyn | test::kAck)),
                    to_pod);
    const int egress = rig.dataplane().program_fd(WEIR_EGRESS);
    const auto syn = sent(test::kSyn);
    auto opened = run_packet(egress, test::as_bytes(syn), {.ifindex = kLoopback});
    if (!opened) return std::unexpected(opened.error());
    auto answered = run_packet(rig.dataplane().program_fd(WEIR_INGRESS), test::as_bytes(answer),
                               {.ifindex = kLoopback, .ingress_ifindex = kElsewhere});
    if (!answered) return std::unexpected(answered.error());
    Skeleton skeleton(bench_bpf__open_and_load(), bench_bpf__destroy);
    if (!skeleton) return failure_errno("load the bench object");
    return EstablishedFlow(std::move(skeleton), egress, sent(test::kAck));
}

Result<double> EstablishedFlow::time() const {
    const auto packet = test::as_bytes(data_);
    const PacketContext context{.ifindex = kLoopback};
    const auto empty =
        run_packet(bpf_program__fd(skeleton_->progs.bench_empty), packet, context, kRepeat);
    if (!empty) return std::unexpected(empty.error());
    const auto ran = run_packet(program_, packet, context, kRepeat);
    if (!ran) return std::unexpected(ran.error());
    return static_cast<double>(ran->duration) - static_cast<double>(empty->duration);
}

} // namespace weir::bench
