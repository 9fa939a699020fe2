// SPDX-License-Identifier: Apache-2.0
#include "bench/service_packets.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <sys/mount.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>

#include "bench/packets.skel.h"
#include "loader/dataplane.h"
#include "loader/service_dataplane.h"
#include "loader/test_run.h"
#include "tests/support/lab_process.h"
#include "tests/support/packet.h"

namespace weir::bench {
namespace {

constexpr std::uint32_t kLoopback = 1;
constexpr std::uint32_t kElsewhere = 9; // where forwarded packets came in
constexpr std::uint32_t kRepeat = 65'536;
constexpr std::size_t kHeaders = 24; // as in the front's object
constexpr std::uint16_t kPort = 80, kBackendPort = 8080, kClient = 40'000, kDirectClient = 40'001;
constexpr const char* kPod = "10.0.0.1";
constexpr const char* kBackend = "10.0.0.2";
constexpr const char* kService = "10.96.0.1";

using Skeleton = std::unique_ptr<packets_bpf, decltype(&packets_bpf__destroy)>;

weir_address mapped(const char* text) {
    weir_address address{};
    address.words[2] = htonl(0xffff);
    inet_pton(AF_INET, text, &address.words[3]);
    return address;
}

test::Bytes packet(const char* from, std::uint16_t port, const char* to, std::uint16_t to_port,
                   std::uint8_t flags) {
    return test::frame(
        test::with_checksums(test::ip(from, to, test::tcp(port, to_port, flags, 64))));
}

// From the pod to the service, and from its backend back; `to` is what becomes of it.
weir_nat_key key_of(const char* from, std::uint16_t port, const char* to, std::uint16_t to_port) {
    weir_nat_key key{};
    key.source = mapped(from);
    key.destination = mapped(to);
    key.source_port = htons(port);
    key.destination_port = htons(to_port);
    key.protocol = IPPROTO_TCP;
    return key;
}

weir_nat element_of(const weir_nat_key& to, int flags) {
    weir_nat nat{};
    nat.source = to.source;
    nat.destination = to.destination;
    nat.source_port = to.source_port;
    nat.destination_port = to.destination_port;
    nat.flags = static_cast<std::uint16_t>(flags);
    nat.last_used = static_cast<std::uint64_t>(
        std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
    return nat;
}

class PacketBench {
public:
    static Result<PacketBench> open() {
        PacketBench bench;
        const std::string mount_point = bench.directory_->path();
        if (::mount("bpf", mount_point.c_str(), "bpf", 0, nullptr) != 0)
            return failure_errno("mount bpffs");
        auto opened = bench.open_dataplanes(mount_point + "/weir");
        ::umount2(mount_point.c_str(), MNT_DETACH);
        if (!opened) return std::unexpected(opened.error());
        bench.skeleton_.reset(packets_bpf__open_and_load());
        if (!bench.skeleton_) return failure_errno("load the bench's packet programs");
        if (auto done = bench.write(); !done) return std::unexpected(done.error());
        if (auto done = bench.open_flows(); !done) return std::unexpected(done.error());
        return bench;
    }

    // ns of a run with the shipped program, net of the front's own.
    Result<double> shipped(weir_direction direction, const test::Bytes& data) {
        const auto& maps = skeleton_->maps;
        const auto* front = direction == WEIR_EGRESS ? skeleton_->progs.bench_restore_sent
                                                     : skeleton_->progs.bench_restore_received;
        const int array =
            bpf_map__fd(direction == WEIR_EGRESS ? maps.bench_sent : maps.bench_received);
        const int target = dataplane_->program_fd(direction);
        const __u32 slot = 0;
        bpf_map_delete_elem(array, &slot);
        auto without = time(front, data);
        if (!without) return without;
        if (bpf_map_update_elem(array, &slot, &target, BPF_ANY) != 0)
            return failure_errno("aim the bench's front");
        auto with = time(front, data);
        if (!with) return with;
        return *with - *without;
    }

    // ns of a hot bare lookup.
    Result<double> lookup(const test::Bytes& data) {
        const __u32 slot = 0;
        bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.bench_sent), &slot);
        auto without = time(skeleton_->progs.bench_restore_sent, data);
        if (!without) return without;
        auto with = time(skeleton_->progs.bench_restore_lookup, data);
        if (!with) return with;
        return *with - *without;
    }

private:
    PacketBench() : skeleton_(nullptr, packets_bpf__destroy) {}

    Result<> open_dataplanes(const std::string& bpffs) {
        auto dataplane = Dataplane::open(
            {.bpffs = bpffs, .sizes = {}, .shares = PodShares::none(), .services = ServiceSizes{}});
        if (!dataplane) return std::unexpected(dataplane.error());
        dataplane_ = std::make_unique<Dataplane>(std::move(*dataplane));
        auto services = ServiceDataplane::open({.bpffs = bpffs, .sizes = {}});
        if (!services) return std::unexpected(services.error());
        services_ = std::make_unique<ServiceDataplane>(std::move(*services));
        return {};
    }

    // A pod that may do everything, and the flow's elements.
    Result<> write() {
        const Maps& maps = dataplane_->maps();
        maps.rows[0] = {0, WEIR_RULE_FIRST};
        maps.tables[WEIR_TABLE_FIRST] = {0, 1};
        const std::uint32_t slot = WEIR_SLOT_HOME(kLoopback);
        PodFacts facts{.ifindex = kLoopback, .mac = {2, 0, 0, 0, 0, 1}, .addresses = {}};
        facts.addresses[0] = mapped(kPod);
        if (auto done = dataplane_->write_pod(slot, facts); !done) return done;
        store_word(maps.pods[slot].rules[WEIR_EGRESS], WEIR_RULES_WORD(1, WEIR_TABLE_FIRST));
        store_word(maps.pods[slot].rules[WEIR_INGRESS], WEIR_RULES_WORD(2, WEIR_TABLE_FIRST));
        const auto sent = key_of(kPod, kClient, kService, kPort);
        const auto gone = key_of(kPod, kClient, kBackend, kBackendPort);
        const auto answer = key_of(kBackend, kBackendPort, kPod, kClient);
        const auto seen = key_of(kService, kPort, kPod, kClient);
        const auto forward = element_of(gone, 0);
        if (auto done = maps.translations->update(sent, forward); !done) return done;
        const auto reply = element_of(seen, WEIR_NAT_REPLY);
        if (auto done = maps.translations->update(answer, reply); !done) return done;
        weir_service_key frontend{};
        frontend.address = sent.destination;
        frontend.port = sent.destination_port;
        services_->maps().hint(frontend);
        std::memcpy(skeleton_->bss->known, &sent, sizeof(sent));
        if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.bench_nat), &sent, &forward, BPF_ANY))
            return failure_errno("fill the bare map");
        return dataplane_->bind(kLoopback, slot);
    }

    Result<> open_flows() {
        const auto run = [&](weir_direction direction, const test::Bytes& data) -> Result<> {
            auto ran = run_packet(dataplane_->program_fd(direction), test::as_bytes(data),
                                  {.ifindex = kLoopback, .ingress_ifindex = kElsewhere});
            return ran ? Result<>() : std::unexpected(ran.error());
        };
        for (const std::uint16_t port : {kClient, kDirectClient}) {
            const bool is_direct = port == kDirectClient;
            const auto syn = packet(kPod, port, is_direct ? kBackend : kService,
                                    is_direct ? kBackendPort : kPort, test::kSyn);
            const auto answer = packet(kBackend, kBackendPort, kPod, port, test::kSyn | test::kAck);
            if (auto done = run(WEIR_EGRESS, syn); !done) return done;
            if (auto done = run(WEIR_INGRESS, answer); !done) return done;
        }
        std::uint32_t flows = 0;
        auto counted =
            dataplane_->maps().flows.for_each([&](const auto&, const auto&) { ++flows; });
        if (!counted) return counted;
        return flows == 2 ? Result<>() : failure("the bench's flows were not opened");
    }

    Result<double> time(const bpf_program* program, const test::Bytes& data) {
        std::copy_n(data.begin() + kHeaders, sizeof(skeleton_->bss->headers),
                    skeleton_->bss->headers);
        auto ran = run_packet(bpf_program__fd(program), test::as_bytes(data),
                              {.ifindex = kLoopback, .ingress_ifindex = kElsewhere}, kRepeat);
        if (!ran) return std::unexpected(ran.error());
        return static_cast<double>(ran->duration);
    }

    std::unique_ptr<TempDirectory> directory_ = std::make_unique<TempDirectory>();
    std::unique_ptr<Dataplane> dataplane_;
    std::unique_ptr<ServiceDataplane> services_;
    Skeleton skeleton_;
};

} // namespace

Result<> measure_service_packets(Report& report, int rounds) {
    auto bench = PacketBench::open();
    if (!bench) return std::unexpected(bench.error());
    struct Way {
        const char* name;
        weir_direction direction;
        test::Bytes translated, direct;
        Samples more{};
    };
    Way ways[] = {
        {"cluster_ip_packet_sent", WEIR_EGRESS, packet(kPod, kClient, kService, kPort, test::kAck),
         packet(kPod, kDirectClient, kBackend, kBackendPort, test::kAck)},
        {"cluster_ip_packet_received", WEIR_INGRESS,
         packet(kBackend, kBackendPort, kPod, kClient, test::kAck),
         packet(kBackend, kBackendPort, kPod, kDirectClient, test::kAck)},
    };
    Samples lookups;
    for (int round = 0; round < rounds; ++round) {
        auto lookup = bench->lookup(ways[0].direct);
        if (!lookup) return std::unexpected(lookup.error());
        lookups.push_back(*lookup);
        for (Way& way : ways) {
            auto translated = bench->shipped(way.direction, way.translated);
            auto direct = bench->shipped(way.direction, way.direct);
            if (!translated) return std::unexpected(translated.error());
            if (!direct) return std::unexpected(direct.error());
            way.more.push_back(*translated - *direct);
        }
    }
    for (const Way& way : ways)
        report.add(ratio(way.name, way.more, lookups, "hot_bare_lookup", 2.0,
                         "ns more than the same packet without a service"));
    return {};
}

} // namespace weir::bench
