// SPDX-License-Identifier: Apache-2.0
#include "bench/services.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fmt/core.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "bench/service_client.h"
#include "bench/service_rig.h"
#include "bench/services.skel.h"
#include "bench/stopwatch.h"
#include "bench/uplink.h"
#include "loader/cgroup_hook.h"
#include "loader/test_run.h"
#include "tests/support/lab_process.h"
#include "tests/support/packet.h"
#include "tests/support/test_cgroup.h"

namespace weir::bench {
namespace {

constexpr ServiceLoad kOne{.services = 1, .backends = 3};
constexpr ServiceLoad kLoaded{.services = 10'000, .backends = 3};
constexpr ServiceLoad kMany{.services = 50'000, .backends = 3};
constexpr ServiceLoad kLarge{.services = 10'000, .backends = 10, .with_maglev = 100};
constexpr double kMegabyte = 1 << 20;
constexpr int kConnects = 20'000;
constexpr std::uint32_t kInUse = 16; // services that a node's processes connect to, again and again
constexpr std::uint32_t kRepeat = 65'536;

using Skeleton = std::unique_ptr<services_bpf, decltype(&services_bpf__destroy)>;

// UDP: nothing but the call. is_fresh: each time a new socket.
Result<> connect_often(std::uint32_t services, bool is_fresh) {
    Fd socket(::socket(AF_INET, SOCK_DGRAM, 0));
    std::uint32_t number = 0;
    for (int i = 0; i < kConnects; ++i) {
        if (is_fresh) socket = Fd(::socket(AF_INET, SOCK_DGRAM, 0));
        number = next_service(number, services);
        if (!connects(socket.value(), service_end(number))) return failure_errno("connect");
    }
    return {};
}

class ServiceBench {
public:
    static Result<ServiceBench> open() {
        ServiceBench bench;
        bench.skeleton_.reset(services_bpf__open_and_load());
        if (!bench.skeleton_) return failure_errno("load the bench's service programs");
        const int map = bpf_map__fd(bench.skeleton_->maps.bench_frontends);
        for (std::uint32_t i = 0; i < kMany.services; ++i) {
            weir_service_key key{};
            key.address.words[2] = htonl(0xffff);
            key.address.words[3] = service_end(i).sin_addr.s_addr;
            key.port = htons(80);
            key.protocol = IPPROTO_UDP;
            const weir_service value{};
            if (bpf_map_update_elem(map, &key, &value, BPF_ANY) != 0)
                return failure_errno("fill the bare map");
        }
        return bench;
    }

    // ns of a hot bare lookup, by BPF_PROG_TEST_RUN.
    Result<double> hot_lookup() const {
        static const test::Bytes packet = test::frame(test::ip("10.0.0.1", "10.0.0.2", {}));
        double ns[2] = {};
        const bpf_program* programs[] = {skeleton_->progs.bench_packet_empty,
                                         skeleton_->progs.bench_packet_lookup};
        for (int i = 0; i < 2; ++i) {
            auto ran =
                run_packet(bpf_program__fd(programs[i]), test::as_bytes(packet), {}, kRepeat);
            if (!ran) return std::unexpected(ran.error());
            ns[i] = static_cast<double>(ran->duration);
        }
        return ns[1] - ns[0];
    }

    // ns of one of the bench's programs in the hook.
    Result<double> bare(const bpf_program* program, std::uint32_t services, bool is_fresh) const {
        auto link = attach_cgroup_hook(cgroup_->path(), program, {});
        if (!link) return std::unexpected(link.error());
        return time(bpf_program__fd(program), services, is_fresh);
    }
    Result<double> empty(std::uint32_t services, bool is_fresh) const {
        return bare(skeleton_->progs.bench_connect_empty, services, is_fresh);
    }
    Result<double> lookup(std::uint32_t services, bool is_fresh) const {
        return bare(skeleton_->progs.bench_connect_lookup, services, is_fresh);
    }

    Result<double> shipped(ServiceDataplane& dataplane, std::uint32_t services,
                           bool is_fresh) const {
        if (auto done = dataplane.attach(cgroup_->path()); !done)
            return std::unexpected(done.error());
        auto ns = time(dataplane.connect_program_fd(), services, is_fresh);
        if (auto done = dataplane.detach(); !done) return std::unexpected(done.error());
        return ns;
    }

    const std::filesystem::path& cgroup() const { return cgroup_->path(); }

private:
    ServiceBench() : skeleton_(nullptr, services_bpf__destroy) {}

    static Result<double> time(int program_fd, std::uint32_t services, bool is_fresh) {
        auto timer = ProgramTimer::start(program_fd);
        if (!timer) return std::unexpected(timer.error());
        if (auto done = connect_often(services, is_fresh); !done)
            return std::unexpected(done.error());
        return timer->nanoseconds_a_run();
    }

    std::unique_ptr<test::TestCgroup> cgroup_ = std::make_unique<test::TestCgroup>();
    Skeleton skeleton_;
};

// What is measured, in nanoseconds.
struct Series {
    Samples hot, again, fresh, many, many_lookup;
};

// Adds a sample that is what the program took, net of the empty one's.
Result<> add_net(Samples& into, const Result<double>& measured, const Result<double>& empty) {
    if (!measured) return std::unexpected(measured.error());
    if (!empty) return std::unexpected(empty.error());
    into.push_back(*measured - *empty);
    return {};
}

Result<> measure_connect(Report& report, const ServiceBench& bench, int rounds) {
    auto one = load_services(kOne);
    if (!one) return std::unexpected(one.error());
    auto many = load_services(kMany);
    if (!many) return std::unexpected(many.error());
    Series series;
    for (int round = 0; round < rounds; ++round) {
        auto hot = bench.hot_lookup();
        if (!hot) return std::unexpected(hot.error());
        series.hot.push_back(*hot);
        const auto again = bench.empty(1, false), fresh = bench.empty(1, true),
                   spread = bench.empty(kMany.services, false);
        const Result<> added[] = {
            add_net(series.again, bench.shipped(*one, 1, false), again),
            add_net(series.fresh, bench.shipped(*one, 1, true), fresh),
            add_net(series.many, bench.shipped(*many, kMany.services, false), spread),
            add_net(series.many_lookup, bench.lookup(kMany.services, false), spread)};
        for (const auto& done : added)
            if (!done) return done;
    }
    report.add(ratio("connect_one_service", series.fresh, series.hot, "hot_bare_lookup", 7.0,
                     "ns, a new socket each time"));
    report.add(ratio("connect_one_service_again", series.again, series.hot, "hot_bare_lookup",
                     std::nullopt, "ns"));
    report.add(ratio("connect_50k_services", series.many, series.many_lookup,
                     "bare_lookup_50k_services", 4.0, "ns"));
    return {};
}

Result<> measure_streams(Report& report, const ServiceBench& bench, int rounds) {
    auto loaded = load_services(kLoaded);
    if (!loaded) return std::unexpected(loaded.error());
    Samples direct, through, through_all, watched;
    const auto measure = [](Samples& into, std::uint32_t services) -> Result<> {
        auto median = stream_connect(services);
        if (!median) return std::unexpected(median.error());
        into.push_back(*median);
        return {};
    };
    for (int round = 0; round < rounds; ++round) {
        if (auto done = measure(direct, 0); !done) return done;
        if (auto done = loaded->attach(bench.cgroup()); !done) return done;
        if (auto done = measure(through, kInUse); !done) return done;
        if (auto done = measure(through_all, kLoaded.services); !done) return done;
        if (auto done = loaded->watch_health(bench.cgroup()); !done) return done;
        if (auto done = measure(watched, kInUse); !done) return done;
        if (auto done = loaded->detach(); !done) return done;
    }
    report.add(ratio("connect_p50_10k_services", through, direct, "direct_connection", 1.1,
                     fmt::format("us, to {} of them in turn", kInUse)));
    report.add(ratio("connect_p50_10k_services_watched", watched, direct, "direct_connection",
                     std::nullopt, "us, failures counted"));
    report.add(ratio("connect_p50_each_of_10k_services", through_all, direct, "direct_connection",
                     std::nullopt, "us"));
    return {};
}

Result<> measure_maps(Report& report) {
    auto dataplane = ServiceDataplane::open({.bpffs = {}, .sizes = sizes_of(kLoaded)});
    if (!dataplane) return std::unexpected(dataplane.error());
    const Stopwatch stopwatch;
    if (auto done = write_services(*dataplane, kLoaded); !done) return done;
    Figure loading;
    loading.name = "load_10k_services";
    loading.value = stopwatch.milliseconds();
    loading.unit = "ms";
    loading.limit = 1000;
    report.add(loading);

    auto large = ServiceDataplane::open({.bpffs = {}, .sizes = sizes_of(kLarge)});
    if (!large) return std::unexpected(large.error());
    const auto before = static_cast<double>(memory_of(*large));
    if (auto done = write_services(*large, kLarge); !done) return done;
    const auto after = static_cast<double>(memory_of(*large));
    Figure memory;
    memory.name = "memory_10k_services_10_backends";
    memory.value = after / kMegabyte;
    memory.unit = "MB";
    memory.limit = 64;
    memory.note = fmt::format("{:.1f} MB when empty", before / kMegabyte);
    report.add(memory);
    return {};
}

Result<> measure_inside(Report& report, int rounds) {
    if (::unshare(CLONE_NEWNET) != 0) return failure_errno("make a network namespace");
    if (auto made = make_service_addresses(); !made) return made;
    auto bench = ServiceBench::open();
    if (!bench) return std::unexpected(bench.error());
    if (auto done = measure_connect(report, *bench, rounds); !done) return done;
    if (auto done = measure_streams(report, *bench, rounds); !done) return done;
    if (auto done = measure_maps(report); !done) return done;
    return measure_uplink(report, rounds);
}

} // namespace

Result<> measure_services(Report& report, int rounds) {
    Result<> result;
    std::thread([&] { result = measure_inside(report, rounds); }).join(); // its namespace goes too
    return result;
}

} // namespace weir::bench
