// SPDX-License-Identifier: Apache-2.0
#include "bench/dataplane.h"

#include <bpf/bpf.h>
#include <fmt/core.h>

#include <memory>

#include "bench/bench.skel.h"
#include "loader/dataplane.h"
#include "loader/events.h"
#include "loader/test_run.h"
#include "tests/support/packet.h"

namespace weir::bench {
namespace {

constexpr std::uint32_t kFlows = 65'536;
constexpr std::uint32_t kRepeat = kFlows;   // every run of a program visits all flows once
constexpr std::uint32_t kEventBatch = 4096; // events that the ring buffer holds
constexpr std::uint32_t kLoopback = 1;      // BPF_PROG_TEST_RUN's own device
constexpr std::uint32_t kElsewhere = 2;     // where forwarded packets came in
constexpr const char* kPod = "10.0.0.1";
constexpr const char* kPeer = "10.0.0.2";
constexpr std::uint16_t kServerPort = 443;

using Skeleton = std::unique_ptr<bench_bpf, decltype(&bench_bpf__destroy)>;

weir_address mapped(std::uint32_t v4) {
    weir_address address{};
    address.words[2] = __builtin_bswap32(0xffff);
    address.words[3] = __builtin_bswap32(v4);
    return address;
}

// One isolated pod on the loopback device, 10,000 peers in 100 classes, and a row of five intervals
// for the peer of the measured flows: its parent class's, the longest way of a new flow.
Result<> write_policy(Dataplane& dataplane) {
    const Maps& maps = dataplane.maps();
    const weir_interval row[] = {{0, WEIR_VERDICT_DENY | 16},
                                 {WEIR_PORT_KEY(6, 0), 17},
                                 {WEIR_PORT_KEY(6, 8080), 18},
                                 {WEIR_PORT_KEY(6, 32768), 17},
                                 {WEIR_PORT_KEY(17, 0), WEIR_VERDICT_DENY | 16}};
    maps.rows[0] = {0, WEIR_VERDICT_DENY | 16};
    for (std::uint32_t i = 0; i < 5; i++)
        maps.rows[1 + i] = row[i];
    for (std::uint32_t table = 1; table <= 2; table++)
        maps.tables[table] = {0, 1};
    const auto parent = [](std::uint32_t number) {
        return (number + 1) << WEIR_CLASS_PARENT_SHIFT;
    };
    for (std::uint32_t number = 0; number < 100; number++) {
        for (std::uint32_t table = 1; table <= 2; table++) {
            if (auto done = maps.rules.update({table, parent(number)}, {1, 5}); !done) return done;
        }
    }
    for (std::uint32_t i = 1; i <= 10'000; i++) {
        weir_peer peer{};
        peer.class_id = parent(i % 100) + 1;
        if (auto done = maps.peers.update(mapped(0x0a000000 + i), peer); !done) return done;
    }
    PodFacts facts;
    facts.ifindex = kLoopback;
    facts.mac = {2, 0, 0, 0, 0, 1};
    facts.addresses[0] = mapped(0x0a000001);
    const std::uint32_t slot = WEIR_SLOT_HOME(kLoopback);
    if (auto done = dataplane.write_pod(slot, facts); !done) return done;
    store_word(maps.pods[slot].rules[WEIR_EGRESS], WEIR_RULES_WORD(1, 1));
    store_word(maps.pods[slot].rules[WEIR_INGRESS], WEIR_RULES_WORD(2, 2));
    return dataplane.bind(kLoopback, slot);
}

class Bench {
public:
    static Result<Bench> open() {
        Bench bench;
        auto dataplane = Dataplane::open({.bpffs = {}, .sizes = {}, .shares = PodShares::none()});
        if (!dataplane) return std::unexpected(dataplane.error());
        bench.dataplane_ = std::make_unique<Dataplane>(std::move(*dataplane));
        if (auto done = write_policy(*bench.dataplane_); !done)
            return std::unexpected(done.error());
        bench.skeleton_.reset(bench_bpf__open());
        if (!bench.skeleton_) return failure_errno("open the bench object");
        const std::uint32_t entries = bench.dataplane_->maps().flows.max_entries();
        bpf_map__set_max_entries(bench.skeleton_->maps.bench_flows, entries);
        bpf_map__set_max_entries(bench.skeleton_->maps.bench_inserts, entries);
        bpf_map__set_max_entries(bench.skeleton_->maps.bench_new,
                                 bench.dataplane_->maps().new_flows.max_entries());
        if (bench_bpf__load(bench.skeleton_.get())) return failure_errno("load the bench object");
        if (auto done = bench.fill_baseline(); !done) return std::unexpected(done.error());
        return bench;
    }

    // ns a run of the program on the packet.
    Result<double> time(int program, const test::Bytes& packet, std::uint32_t ingress_ifindex,
                        std::uint32_t repeat) {
        const PacketContext context{.ifindex = kLoopback, .ingress_ifindex = ingress_ifindex};
        auto ran = run_packet(program, test::as_bytes(packet), context, repeat);
        if (!ran) return std::unexpected(ran.error());
        return static_cast<double>(ran->duration);
    }

    // What the front jumps to: the shipped program, or the empty one.
    Result<> aim(bool at_shipped) {
        const __u32 slot = 0;
        const int egress = at_shipped ? dataplane_->program_fd(WEIR_EGRESS)
                                      : program(skeleton_->progs.bench_empty);
        const int ingress = at_shipped ? dataplane_->program_fd(WEIR_INGRESS)
                                       : program(skeleton_->progs.bench_empty_egress);
        const int egress_map = bpf_map__fd(skeleton_->maps.bench_egress);
        const int ingress_map = bpf_map__fd(skeleton_->maps.bench_ingress);
        if (bpf_map_update_elem(egress_map, &slot, &egress, BPF_ANY) ||
            bpf_map_update_elem(ingress_map, &slot, &ingress, BPF_ANY))
            return failure_errno("aim the bench programs");
        return {};
    }

    // The order in which the flows are visited: the one they were made in, or another. In the first
    // their entries lie one behind the other in memory, which no real traffic gets.
    void visit(bool in_order, std::uint32_t first = 0) {
        skeleton_->data->stride = in_order ? 1 : 40503;
        skeleton_->bss->run = first;
    }

    void vary(bool is_fresh, bool pod_sends) {
        skeleton_->bss->is_fresh = is_fresh;
        skeleton_->bss->port_offset = pod_sends ? 34 : 36;
        skeleton_->bss->peer_offset = pod_sends ? 36 : 34;
    }

    static int program(const bpf_program* program) { return bpf_program__fd(program); }
    const bench_bpf& skeleton() const { return *skeleton_; }
    Dataplane& dataplane() { return *dataplane_; }

private:
    Bench() : skeleton_(nullptr, bench_bpf__destroy) {}

    Result<> fill_baseline() {
        weir_flow_key key{};
        key.low = mapped(0x0a000001);
        key.high = mapped(0x0a000002);
        key.protocol = 6;
        const weir_flow flow{};
        const int map = bpf_map__fd(skeleton_->maps.bench_flows);
        for (std::uint32_t i = 0; i < kFlows; i++) {
            key.low_port = static_cast<std::uint16_t>(i);
            if (bpf_map_update_elem(map, &key, &flow, BPF_ANY))
                return failure_errno("fill the bare map");
        }
        return {};
    }

    std::unique_ptr<Dataplane> dataplane_;
    Skeleton skeleton_;
};

struct Series {
    Samples empty, lookup_one, lookup_many, insert, insert_new, front;
    Samples egress_one, ingress_one, egress_many, ingress_many, egress_new;
};

// Runs the program, net of the empty one.
struct Step {
    int program;
    const test::Bytes* packet;
    std::uint32_t ingress_ifindex;
    Samples* into;
};

Samples net_of(const Samples& measured, const Samples& empty) {
    Samples net;
    for (std::size_t i = 0; i < measured.size(); i++)
        net.push_back(measured[i] - empty[i]);
    return net;
}

// All flows, in batches that the map of unanswered flows holds.
Result<> open_flows(Bench& bench, const test::Bytes& syn, const test::Bytes& syn_ack) {
    constexpr std::uint32_t kBatch = 4096;
    const auto& progs = bench.skeleton().progs;
    const PacketContext from_pod{.ifindex = kLoopback};
    const PacketContext to_pod{.ifindex = kLoopback, .ingress_ifindex = kElsewhere};
    for (std::uint32_t first = 0; first < kFlows; first += kBatch) {
        bench.visit(true, first);
        bench.vary(false, true);
        auto opened = run_packet(Bench::program(progs.bench_vary_egress), test::as_bytes(syn),
                                 from_pod, kBatch);
        if (!opened) return std::unexpected(opened.error());
        bench.visit(true, first);
        bench.vary(false, false);
        auto answered = run_packet(Bench::program(progs.bench_vary_ingress),
                                   test::as_bytes(syn_ack), to_pod, kBatch);
        if (!answered) return std::unexpected(answered.error());
    }
    std::uint32_t flows = 0;
    auto counted =
        bench.dataplane().maps().flows.for_each([&](const auto&, const auto&) { flows++; });
    if (!counted) return counted;
    if (flows < kFlows)
        return failure(fmt::format("only {} of {} flows were opened", flows, kFlows));
    bench.visit(false);
    return {};
}

} // namespace

Result<> measure_dataplane(Report& report, int rounds) {
    auto opened = Bench::open();
    if (!opened) return std::unexpected(opened.error());
    Bench& bench = *opened;
    // Events are consumed between the rounds, as the agent would.
    auto reader = EventReader::open(bench.dataplane().events_fd(), [](const weir_event&) {});
    if (!reader) return std::unexpected(reader.error());

    const test::FrameOptions to_pod{.destination = {2, 0, 0, 0, 0, 1}, .vlans = {}};
    const auto packet = [&](bool pod_sends, std::uint8_t flags) {
        return pod_sends ? test::frame(test::ip(kPod, kPeer, test::tcp(40000, kServerPort, flags)))
                         : test::frame(test::ip(kPeer, kPod, test::tcp(kServerPort, 40000, flags)),
                                       to_pod);
    };
    const test::Bytes syn = packet(true, test::kSyn),
                      syn_ack = packet(false, test::kSyn | test::kAck),
                      data = packet(true, test::kAck), reply = packet(false, test::kAck);
    const auto& progs = bench.skeleton().progs;
    const int vary_egress = Bench::program(progs.bench_vary_egress);
    const int vary_ingress = Bench::program(progs.bench_vary_ingress);
    const int egress = bench.dataplane().program_fd(WEIR_EGRESS);
    const int ingress = bench.dataplane().program_fd(WEIR_INGRESS);

    Series series;
    // All flows, by default at once; events are read after each batch.
    const auto run = [&](const Step& step, std::uint32_t batch = kRepeat) -> Result<> {
        double ns = 0;
        for (std::uint32_t done = 0; done < kRepeat; done += batch) {
            auto timed = bench.time(step.program, *step.packet, step.ingress_ifindex, batch);
            if (!timed) return std::unexpected(timed.error());
            ns += *timed * batch / kRepeat;
            if (auto consumed = reader->consume(); !consumed)
                return std::unexpected(consumed.error());
        }
        if (step.into) step.into->push_back(ns);
        return {};
    };
    const auto run_all = [&](std::initializer_list<Step> steps) -> Result<> {
        for (const Step& step : steps) {
            if (auto done = run(step); !done) return done;
        }
        return {};
    };

    for (int round = 0; round < rounds; round++) {
        bench.visit(false);
        bench.vary(false, true);
        if (auto done = bench.aim(false); !done) return done;
        if (auto done =
                run_all({{Bench::program(progs.bench_empty), &data, 0, &series.empty},
                         {Bench::program(progs.bench_lookup_one), &data, 0, &series.lookup_one},
                         {Bench::program(progs.bench_lookup_many), &data, 0, &series.lookup_many},
                         {Bench::program(progs.bench_insert), &data, 0, &series.insert},
                         {Bench::program(progs.bench_insert_new), &data, 0, &series.insert_new},
                         {vary_egress, &data, 0, &series.front},
                         {egress, &syn, 0, nullptr},
                         {ingress, &syn_ack, kElsewhere, nullptr},
                         {egress, &data, 0, &series.egress_one},
                         {ingress, &reply, kElsewhere, &series.ingress_one}});
            !done)
            return done;
        if (auto done = bench.aim(true); !done) return done;
        // All 64k flows: opened in batches that the map of unanswered flows holds, then measured.
        if (round == 0) {
            if (auto done = open_flows(bench, syn, syn_ack); !done) return done;
        }
        bench.vary(false, true);
        if (auto done = run({vary_egress, &data, 0, &series.egress_many}); !done) return done;
        bench.vary(false, false);
        if (auto done = run({vary_ingress, &reply, kElsewhere, &series.ingress_many}); !done)
            return done;
        bench.vary(true, true);
        if (auto done = run({vary_egress, &syn, 0, &series.egress_new}, kEventBatch); !done)
            return done;
    }

    const Samples one = net_of(series.lookup_one, series.empty);
    const Samples many = net_of(series.lookup_many, series.empty);
    report.add(ratio("egress_established_one_flow", net_of(series.egress_one, series.empty), one,
                     "bare_lookup_one_flow", 4.0, "ns"));
    report.add(ratio("ingress_established_one_flow", net_of(series.ingress_one, series.empty), one,
                     "bare_lookup_one_flow", 4.0, "ns"));
    report.add(ratio("egress_established_64k_flows", net_of(series.egress_many, series.front), many,
                     "bare_lookup_64k_flows", 1.5, "ns"));
    report.add(ratio("ingress_established_64k_flows", net_of(series.ingress_many, series.front),
                     many, "bare_lookup_64k_flows", 1.5, "ns"));
    // Beside the table of conntrack, and for information the small one that a flow begins in.
    const Samples opened_flow = net_of(series.egress_new, series.front);
    report.add(ratio("egress_new_flow", opened_flow, net_of(series.insert, series.empty),
                     "bare_insert", 2.2, "ns"));
    report.add(ratio("egress_new_flow_small_table", opened_flow,
                     net_of(series.insert_new, series.empty), "bare_insert_small_table",
                     std::nullopt, "ns"));
    return {};
}

} // namespace weir::bench
