// SPDX-License-Identifier: Apache-2.0
#include "bench/kube_proxy.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sched.h>

#include <thread>

#include "bench/kube_proxy_rules.h"
#include "bench/service_client.h"
#include "bench/service_rig.h"
#include "bench/stopwatch.h"
#include "loader/fd.h"
#include "tests/support/lab_process.h"
#include "tests/support/test_cgroup.h"

namespace weir::bench {
namespace {

constexpr ServiceLoad kServices{.services = 10'000, .backends = 3};
constexpr std::chrono::minutes kLoading{10};

// A network namespace with the backends' addresses, and the connects that were measured in it.
struct World {
    Fd netns;
    double loaded_ms = 0;
    Samples connect;

    // Leaves the thread in it.
    static Result<World> make();
    Result<> load(const Arguments& command, const std::string& rules);
    Result<> measure(std::uint32_t services);
};

Result<World> World::make() {
    if (::unshare(CLONE_NEWNET) != 0) return failure_errno("make a network namespace");
    World world;
    world.netns = Fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!world.netns.is_open()) return failure_errno("open a network namespace");
    if (auto made = make_service_addresses(); !made) return std::unexpected(made.error());
    return world;
}

Result<> World::load(const Arguments& command, const std::string& rules) {
    const Stopwatch stopwatch;
    const auto done = run_command(command, {.input = rules, .netns = {}, .timeout = kLoading});
    if (!done.ok()) return failure(command.front() + ": " + done.err.substr(0, 500));
    loaded_ms = stopwatch.milliseconds();
    return {};
}

Result<> World::measure(std::uint32_t services) {
    if (::setns(netns.value(), CLONE_NEWNET) != 0)
        return failure_errno("enter a network namespace");
    auto microseconds = stream_connect(services);
    if (!microseconds) return std::unexpected(microseconds.error());
    connect.push_back(*microseconds);
    return {};
}

void add_loading(Report& report, const char* name, double milliseconds) {
    Figure figure;
    figure.name = name;
    figure.value = milliseconds;
    figure.unit = "ms";
    report.add(figure);
}

Result<> measure_inside(Report& report, int rounds) {
    auto plain = World::make();
    if (!plain) return std::unexpected(plain.error());
    auto ours = World::make();
    if (!ours) return std::unexpected(ours.error());
    auto iptables = World::make();
    if (!iptables) return std::unexpected(iptables.error());
    if (auto done = iptables->load({"iptables-restore"}, iptables_rules(kServices)); !done)
        return done;
    auto nftables = World::make();
    if (!nftables) return std::unexpected(nftables.error());
    if (auto done = nftables->load({"nft", "-f", "-"}, nftables_rules(kServices)); !done)
        return done;
    const test::TestCgroup cgroup;
    const Stopwatch stopwatch;
    auto dataplane = load_services(kServices);
    if (!dataplane) return std::unexpected(dataplane.error());
    ours->loaded_ms = stopwatch.milliseconds();

    for (int round = 0; round < rounds; ++round) {
        if (auto done = plain->measure(0); !done) return done;
        if (auto done = iptables->measure(kServices.services); !done) return done;
        if (auto done = nftables->measure(kServices.services); !done) return done;
        if (auto done = dataplane->attach(cgroup.path()); !done) return done;
        if (auto done = ours->measure(kServices.services); !done) return done;
        if (auto done = dataplane->detach(); !done) return done;
    }
    report.add(ratio("kube_proxy_iptables_connect_p50", iptables->connect, plain->connect,
                     "direct_connection", std::nullopt, "us, each of 10,000 services"));
    report.add(ratio("kube_proxy_nftables_connect_p50", nftables->connect, plain->connect,
                     "direct_connection", std::nullopt, "us, the same"));
    report.add(ratio("weir_connect_p50", ours->connect, plain->connect, "direct_connection",
                     std::nullopt, "us, the same"));
    report.add(ratio("weir_to_nftables_connect_p50", ours->connect, nftables->connect,
                     "kube_proxy_nftables", 1.0, "us"));
    add_loading(report, "kube_proxy_iptables_load", iptables->loaded_ms);
    add_loading(report, "kube_proxy_nftables_load", nftables->loaded_ms);
    add_loading(report, "weir_load", ours->loaded_ms);
    return {};
}

} // namespace

Result<> measure_kube_proxy(Report& report, int rounds) {
    Result<> result;
    std::thread([&] { result = measure_inside(report, rounds); }).join(); // its namespaces go too
    return result;
}

} // namespace weir::bench
