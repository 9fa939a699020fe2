// SPDX-License-Identifier: Apache-2.0
#include "bench/roundtrip.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>

#include "loader/fd.h"
#include "tests/support/lab.h"

namespace weir::bench {
namespace {

constexpr std::uint16_t kPort = 8080;
constexpr int kRoundTrips = 4'000;

// What a real pod has: isolated both ways, reached by a rule.
constexpr const char* kPolicy = R"(apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: bench, namespace: bench}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  ingress: [{from: [{podSelector: {}}], ports: [{port: 8080}]}]
  egress: [{to: [{podSelector: {}}], ports: [{port: 8080}]}]
)";

// Both ends of a round trip run on one CPU: where the scheduler would place them decides more than
// what is measured here.
void pin_to_one_cpu() {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    ::sched_setaffinity(0, sizeof(set), &set);
}

void make_prompt(int socket) {
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

sockaddr_in at(const std::string& v4) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(kPort);
    ::inet_pton(AF_INET, v4.c_str(), &address.sin_addr);
    return address;
}

// Echoes one connection after the other until its listener is shut down.
class EchoServer {
public:
    explicit EchoServer(const LabPod& pod)
        : listener_(pod.netns->inside([] { return ::socket(AF_INET, SOCK_STREAM, 0); })) {
        const sockaddr_in any = at("0.0.0.0");
        const int on = 1;
        ::setsockopt(listener_.value(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        ::bind(listener_.value(), reinterpret_cast<const sockaddr*>(&any), sizeof(any));
        ::listen(listener_.value(), 16);
        thread_ = std::thread([this] { serve(); });
    }
    ~EchoServer() {
        ::shutdown(listener_.value(), SHUT_RDWR);
        thread_.join();
    }

private:
    void serve() {
        pin_to_one_cpu();
        for (;;) {
            const Fd connection(::accept(listener_.value(), nullptr, nullptr));
            if (!connection.is_open()) return;
            make_prompt(connection.value());
            char byte = 0;
            while (::recv(connection.value(), &byte, 1, 0) == 1 &&
                   ::send(connection.value(), &byte, 1, MSG_NOSIGNAL) == 1) {
            }
        }
    }

    Fd listener_;
    std::thread thread_;
};

Result<double> round_trip_here(const LabPod& from, const LabPod& to) {
    const Fd socket(from.netns->inside([] { return ::socket(AF_INET, SOCK_STREAM, 0); }));
    const sockaddr_in address = at(to.v4);
    if (::connect(socket.value(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)))
        return failure_errno("connect " + from.full_name() + " to " + to.full_name());
    make_prompt(socket.value());
    Samples samples;
    for (int i = 0; i < kRoundTrips; i++) {
        char byte = 'x';
        const auto begin = std::chrono::steady_clock::now();
        if (::send(socket.value(), &byte, 1, MSG_NOSIGNAL) != 1 ||
            ::recv(socket.value(), &byte, 1, 0) != 1)
            return failure_errno("round trip " + from.full_name() + " to " + to.full_name());
        const std::chrono::duration<double, std::micro> elapsed =
            std::chrono::steady_clock::now() - begin;
        samples.push_back(elapsed.count());
    }
    return median(samples);
}

// The median of many round trips over one connection, in microseconds.
Result<double> round_trip(const LabPod& from, const LabPod& to) {
    Result<double> result;
    std::thread([&] {
        pin_to_one_cpu();
        result = round_trip_here(from, to);
    }).join();
    return result;
}

struct Path {
    const char* name;
    const LabPod& from;
    const LabPod& to;
    double limit;
    Samples with{};
    Samples without{};
};

} // namespace

Result<> measure_roundtrip(Report& report, int rounds) {
    Lab lab;
    LabNode& first = lab.add_node("bench-1", Wiring::kRouted);
    LabNode& second = lab.add_node("bench-2", Wiring::kRouted);
    LabPod& client = lab.add_pod(first, "bench/client");
    LabPod& near = lab.add_pod(first, "bench/near");
    LabPod& far = lab.add_pod(second, "bench/far");
    lab.write_objects();
    lab.write_manifest("policy.yaml", kPolicy);
    lab.start_agents();
    const EchoServer near_server(near), far_server(far);
    Path paths[] = {{"roundtrip_one_node_p50", client, near, 1.08},
                    {"roundtrip_across_nodes_p50", client, far, 1.05}};

    for (int round = 0; round < rounds; round++) {
        for (const bool is_protected : {false, true}) {
            for (const LabPod* pod : {&client, &near, &far}) {
                LabNode& node = lab.node(pod->node);
                if (is_protected) {
                    if (auto added = lab.add_endpoint(*pod); !added.ok())
                        return failure("weir endpoint add: " + added.err);
                } else if (round > 0) {
                    if (auto removed = node.weir({"endpoint", "remove", pod->full_name()});
                        !removed.ok())
                        return failure("weir endpoint remove: " + removed.err);
                }
            }
            for (Path& path : paths) {
                auto median = round_trip(path.from, path.to);
                if (!median) return std::unexpected(median.error());
                (is_protected ? path.with : path.without).push_back(*median);
            }
        }
    }
    for (const Path& path : paths)
        report.add(ratio(path.name, path.with, path.without, "without_weir", path.limit, "us"));
    return {};
}

} // namespace weir::bench
