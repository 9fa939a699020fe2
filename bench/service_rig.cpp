// SPDX-License-Identifier: Apache-2.0
#include "bench/service_rig.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include "tests/support/lab_process.h"

namespace weir::bench {
namespace {

weir_address mapped(std::uint32_t v4) {
    weir_address address{};
    address.words[2] = htonl(0xffff);
    address.words[3] = htonl(v4);
    return address;
}

} // namespace

ServiceSizes sizes_of(const ServiceLoad& load) {
    ServiceSizes sizes;
    sizes.frontends = std::max(sizes.frontends, load.services * 4);
    sizes.backends = std::max(sizes.backends, load.services * load.backends + 1);
    sizes.slots = std::max(sizes.slots, load.services * load.backends +
                                            load.with_maglev * maglev_entries(load.backends));
    return sizes;
}

Result<> write_services(const ServiceDataplane& dataplane, const ServiceLoad& load) {
    const ServiceMaps& maps = dataplane.maps();
    std::vector<weir_service_key> keys;
    std::vector<weir_service> services;
    std::uint32_t next_slot = 0, next_backend = 1;
    for (std::uint32_t number = 0; number < load.services; ++number) {
        weir_service service{};
        service.id = number + 1;
        service.first_slot = next_slot;
        service.slot_count = load.backends;
        const std::uint32_t first_backend = next_backend;
        for (std::uint32_t i = 0; i < load.backends; ++i) {
            weir_backend backend{};
            backend.address = mapped(kBackendBase + 1 + i % kBackendAddresses);
            backend.port = htons(kBackendPort);
            backend.state = WEIR_BACKEND_ACTIVE;
            backend.service = service.id;
            backend.generation = 1;
            maps.backends[next_backend] = backend;
            maps.slots[next_slot++] = next_backend++;
        }
        if (number < load.with_maglev) {
            service.first_maglev = next_slot;
            service.maglev_count = maglev_entries(load.backends);
            for (std::uint32_t i = 0; i < service.maglev_count; ++i)
                maps.slots[next_slot++] = first_backend + i % load.backends;
        }
        for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP}) {
            weir_service_key key{};
            key.address = mapped(kServiceBase + number);
            key.port = htons(kServicePort);
            key.protocol = protocol;
            keys.push_back(key);
            services.push_back(service);
        }
    }
    auto outcome = maps.services.update(std::span<const weir_service_key>(keys),
                                        std::span<const weir_service>(services));
    if (outcome.error) return std::unexpected(*outcome.error);
    return {};
}

Result<ServiceDataplane> load_services(const ServiceLoad& load) {
    auto dataplane = ServiceDataplane::open({.bpffs = {}, .sizes = sizes_of(load)});
    if (!dataplane) return dataplane;
    if (auto done = write_services(*dataplane, load); !done) return std::unexpected(done.error());
    return dataplane;
}

Result<> make_service_addresses() {
    const auto made = run_command({"ip", "-batch", "-"},
                                  {.input = "link set lo up\naddr add 10.0.0.1/32 dev lo\n"
                                            "addr add 10.0.0.2/32 dev lo\naddr add 10.0.0.3/32 dev "
                                            "lo\nroute add 10.96.0.0/12 dev lo\n",
                                   .netns = {}});
    if (!made.ok()) return failure("ip: " + made.err);
    return {};
}

std::uint64_t memory_of(const ServiceDataplane& dataplane) {
    const auto infos = dataplane.map_infos();
    return std::accumulate(infos.begin(), infos.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const MapInfo& map) { return sum + map.memory; });
}

Result<ProgramTimer> ProgramTimer::start(int program_fd) {
    ProgramTimer timer;
    timer.statistics_ = Fd(bpf_enable_stats(BPF_STATS_RUN_TIME));
    if (!timer.statistics_.is_open()) return failure_errno("switch on the statistics of programs");
    timer.program_fd_ = program_fd;
    auto before = timer.totals();
    if (!before) return std::unexpected(before.error());
    timer.before_ = *before;
    return timer;
}

Result<double> ProgramTimer::nanoseconds_a_run() const {
    auto now = totals();
    if (!now) return std::unexpected(now.error());
    if (now->runs == before_.runs) return failure("the measured program did not run");
    return static_cast<double>(now->nanoseconds - before_.nanoseconds) /
           static_cast<double>(now->runs - before_.runs);
}

Result<ProgramTimer::Totals> ProgramTimer::totals() const {
    bpf_prog_info info{};
    std::uint32_t length = sizeof(info);
    if (bpf_prog_get_info_by_fd(program_fd_, &info, &length) != 0)
        return failure_errno("read a program's statistics");
    return Totals{info.run_time_ns, info.run_cnt};
}

} // namespace weir::bench
