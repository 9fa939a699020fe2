// SPDX-License-Identifier: Apache-2.0
#include "bench/uplink.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fmt/core.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <vector>

#include "bench/service_rig.h"
#include "bench/services.skel.h"
#include "loader/fd.h"
#include "loader/test_run.h"
#include "loader/uplink_dataplane.h"
#include "tests/support/address.h"
#include "tests/support/checksum.h"
#include "tests/support/lab_process.h"

namespace weir::bench {
namespace {

constexpr int kFrames = 20'000;
constexpr const char* kClient = "198.51.100.7";
constexpr std::uint32_t kBackends =
    100; // of a service, on another node: each has source ports of its own
constexpr std::uint16_t kOpen = 61'000;

enum class Way : std::uint8_t { kSnat, kDsr };

const char* service_of(Way way) {
    return way == Way::kSnat ? "203.0.113.1" : "203.0.113.2";
}

test::Bytes frame_to(const char* service, std::string_view client, std::uint16_t port,
                     std::uint8_t flags) {
    return test::frame(test::with_checksums(test::ip(client, service, test::tcp(port, 80, flags))));
}

// The frames in turn; any other verdict than the expected one is an error.
Result<> run_frames(int program, const std::vector<test::Bytes>& frames, int times,
                    std::uint32_t ifindex, int expected) {
    for (int i = 0; i < times; ++i) {
        const auto& frame = frames[static_cast<std::size_t>(i) % frames.size()];
        auto ran = run_frame(program, test::as_bytes(frame), ifindex);
        if (!ran) return std::unexpected(ran.error());
        if (ran->verdict != expected)
            return failure(fmt::format("a frame's verdict is {}, not {}", ran->verdict, expected));
    }
    return {};
}

Result<> build_network() {
    std::ofstream("/proc/sys/net/ipv4/conf/all/forwarding") << "1\n";
    const auto made = run_command(
        {"ip", "-batch", "-"},
        {.input = "link add up0 address 02:00:00:00:00:01 type veth peer name out0\n"
                  "link set out0 up\nlink set up0 up\n"
                  "addr add 192.0.2.10/24 dev up0\n"
                  "neigh add 192.0.2.1 lladdr 02:00:00:00:00:fe dev up0 nud permanent\n"
                  "route add 10.0.1.0/24 via 192.0.2.1\nroute add 198.0.0.0/8 via 192.0.2.1\n",
         .netns = {}});
    return made.ok() ? Result<>() : failure("ip: " + made.err);
}

class UplinkBench {
public:
    static Result<UplinkBench> open() {
        UplinkBench bench;
        bench.skeleton_.reset(services_bpf__open_and_load());
        if (!bench.skeleton_) return failure_errno("load the bench's programs");
        auto services = ServiceDataplane::open({.bpffs = {}, .sizes = {}});
        if (!services) return std::unexpected(services.error());
        bench.services_ = std::make_unique<ServiceDataplane>(std::move(*services));
        auto uplink = UplinkDataplane::open({}, *bench.services_);
        if (!uplink) return std::unexpected(uplink.error());
        bench.uplink_ = std::make_unique<UplinkDataplane>(std::move(*uplink));
        bench.ifindex_ = ::if_nametoindex("up0");
        // Without an XDP program the interface has no queue for one.
        LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
        bench.link_ =
            Fd(bpf_link_create(bench.empty(), static_cast<int>(bench.ifindex_), BPF_XDP, &options));
        if (!bench.link_.is_open()) return failure_errno("attach an XDP program to a veth");
        weir_uplink node{};
        node.v4 = test::address("192.0.2.10");
        node.first_port = kOpen;
        node.last_port = 65'535;
        if (auto set = bench.uplink_->set_node(node); !set) return std::unexpected(set.error());
        if (auto set = bench.uplink_->set_interface(bench.ifindex_, WEIR_UPLINK_XDP); !set)
            return std::unexpected(set.error());
        for (const Way way : {Way::kSnat, Way::kDsr})
            if (auto added = bench.add_service(way); !added) return std::unexpected(added.error());
        return bench;
    }

    int shipped() const { return uplink_->xdp_program_fd(); }
    int empty() const { return bpf_program__fd(skeleton_->progs.bench_frame_empty); }
    int lookup() const { return bpf_program__fd(skeleton_->progs.bench_frame_lookup); }
    int insert() const { return bpf_program__fd(skeleton_->progs.bench_frame_insert); }

    // ns of a run, by the kernel's statistics.
    Result<double> time(int program, const std::vector<test::Bytes>& frames, int times,
                        int expected) const {
        auto timer = ProgramTimer::start(program);
        if (!timer) return std::unexpected(timer.error());
        if (auto done = run_frames(program, frames, times, ifindex_, expected); !done)
            return std::unexpected(done.error());
        return timer->nanoseconds_a_run();
    }

private:
    Result<> add_service(Way way) {
        const auto& maps = services_->maps();
        const auto number = static_cast<std::uint32_t>(way);
        const std::uint32_t first = number * kBackends;
        for (std::uint32_t i = 0; i < kBackends; ++i) {
            weir_backend backend{};
            backend.address = test::address(fmt::format("10.0.1.{}", i + 1));
            backend.port = htons(8080);
            backend.protocol = IPPROTO_TCP;
            backend.state = WEIR_BACKEND_ACTIVE;
            backend.service = number + 1;
            backend.generation = 1;
            maps.backends[first + i + 1] = backend;
            maps.slots[first + i] = first + i + 1;
        }
        weir_service service{};
        service.id = number + 1;
        service.first_slot = service.first_maglev = first;
        service.slot_count = service.maglev_count = kBackends;
        service.flags = WEIR_SERVICE_MAGLEV;
        if (way == Way::kDsr) service.flags |= WEIR_SERVICE_DSR;
        weir_service_key key{};
        key.address = test::address(service_of(way));
        key.port = htons(80);
        key.protocol = IPPROTO_TCP;
        key.scope = WEIR_SCOPE_EXTERNAL;
        return maps.services.update(key, service);
    }

    std::unique_ptr<services_bpf, decltype(&services_bpf__destroy)> skeleton_{
        nullptr, &services_bpf__destroy};
    std::unique_ptr<ServiceDataplane> services_;
    std::unique_ptr<UplinkDataplane> uplink_;
    std::uint32_t ifindex_ = 0;
    Fd link_;
};

// Clients that come once.
std::vector<test::Bytes> fresh_frames(Way way, int round, int count) {
    std::vector<test::Bytes> frames;
    for (int i = 0; i < count; ++i) {
        const std::string client = fmt::format("198.{}.{}.{}", 60 + round, i / 250, i % 250 + 1);
        frames.push_back(frame_to(service_of(way), client, 40'000, test::kSyn));
    }
    return frames;
}

struct UplinkSeries {
    Samples lookup, insert, snat, dsr, fresh_snat, fresh_dsr;
};

Result<> measure_round(const UplinkBench& bench, UplinkSeries& series, int round) {
    struct Step {
        Samples& into;
        int program;
        std::vector<test::Bytes> frames;
        int verdict;
    };
    const auto known = [](Way way) {
        return std::vector<test::Bytes>{frame_to(service_of(way), kClient, 40'000, test::kAck)};
    };
    auto empty = bench.time(bench.empty(), known(Way::kSnat), kFrames, XDP_PASS);
    if (!empty) return std::unexpected(empty.error());
    // What the shipped program forwards goes out where it came in.
    const Step steps[] = {
        {series.lookup, bench.lookup(), known(Way::kSnat), XDP_PASS},
        {series.snat, bench.shipped(), known(Way::kSnat), XDP_TX},
        {series.dsr, bench.shipped(), known(Way::kDsr), XDP_TX},
        {series.insert, bench.insert(), fresh_frames(Way::kSnat, round, kFrames), XDP_PASS},
        {series.fresh_dsr, bench.shipped(), fresh_frames(Way::kDsr, round, kFrames), XDP_TX},
        {series.fresh_snat, bench.shipped(), fresh_frames(Way::kSnat, round, kFrames), XDP_TX},
    };
    for (const auto& step : steps) {
        const int times = step.frames.size() == 1 ? kFrames : static_cast<int>(step.frames.size());
        auto took = bench.time(step.program, step.frames, times, step.verdict);
        if (!took) return std::unexpected(took.error());
        step.into.push_back(*took - *empty);
    }
    return {};
}

} // namespace

Result<> measure_uplink(Report& report, int rounds) {
    if (auto built = build_network(); !built) return built;
    auto bench = UplinkBench::open();
    if (!bench) return std::unexpected(bench.error());
    UplinkSeries series;
    for (int round = 0; round < rounds; ++round)
        if (auto done = measure_round(*bench, series, round); !done) return done;
    report.add(ratio("uplink_snat", series.snat, series.lookup, "bare_lookup", 8.0, "ns"));
    report.add(ratio("uplink_dsr", series.dsr, series.lookup, "bare_lookup", 3.5, "ns"));
    report.add(
        ratio("uplink_new_flow_snat", series.fresh_snat, series.insert, "bare_insert", 2.2, "ns"));
    report.add(
        ratio("uplink_new_flow_dsr", series.fresh_dsr, series.insert, "bare_insert", 2.2, "ns"));
    return {};
}

} // namespace weir::bench
