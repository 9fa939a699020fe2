// SPDX-License-Identifier: Apache-2.0
// Many services in the shipped maps, and how long their programs run.
#pragma once

#include <cstdint>

#include "loader/fd.h"
#include "loader/service_dataplane.h"

namespace weir::bench {

// Where they are: services from the base on, each backend at the next of the addresses.
inline constexpr std::uint32_t kServiceBase = 0x0a600000; // 10.96.0.0
inline constexpr std::uint16_t kServicePort = 80;
inline constexpr std::uint32_t kBackendBase = 0x0a000000; // 10.0.0.0, the first at 10.0.0.1
inline constexpr std::uint32_t kBackendAddresses = 3;
inline constexpr std::uint16_t kBackendPort = 8080;

struct ServiceLoad {
    std::uint32_t services = 0;    // each for TCP and UDP
    std::uint32_t backends = 0;    // of each: one slot each
    std::uint32_t with_maglev = 0; // services that have a table as well
};

// 100 entries a backend, at least: a share that is 1 % too large is noticed by nobody.
constexpr std::uint32_t maglev_entries(std::uint32_t backends) {
    return backends * 100 + 9;
}

ServiceSizes sizes_of(const ServiceLoad& load);

// Fills the maps as the agent would: arrays by storing, frontends in one batch.
Result<> write_services(const ServiceDataplane& dataplane, const ServiceLoad& load);

// A private dataplane with these services.
Result<ServiceDataplane> load_services(const ServiceLoad& load);

// Gives the loopback of this network namespace the backends' addresses, and a route to the
// services.
Result<> make_service_addresses();

// Bytes that the kernel charges for all of its maps.
std::uint64_t memory_of(const ServiceDataplane& dataplane);

// ns that a run of the program took, by the kernel's own statistics, while it lives.
class ProgramTimer {
public:
    static Result<ProgramTimer> start(int program_fd);
    Result<double> nanoseconds_a_run() const;

private:
    struct Totals {
        std::uint64_t nanoseconds = 0;
        std::uint64_t runs = 0;
    };
    Result<Totals> totals() const;

    Fd statistics_;
    int program_fd_ = -1;
    Totals before_;
};

} // namespace weir::bench
