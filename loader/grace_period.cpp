// SPDX-License-Identifier: Apache-2.0
// Ways to wait until no program still holds what it read before: RCU grace periods, and a faster
// one.
#include <bpf/bpf.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <thread>

#include "loader/dataplane.h"
#include "loader/fd.h"

namespace weir {
namespace {

constexpr auto kLongerThanAnyProgram = std::chrono::milliseconds(100);

// The update of a map in a map returns after a grace period.
bool wait_by_map_in_map() {
    const Fd inner(bpf_map_create(BPF_MAP_TYPE_ARRAY, "weir_wait_in", 4, 4, 1, nullptr));
    if (!inner.is_open()) return false;
    LIBBPF_OPTS(bpf_map_create_opts, options,
                .inner_map_fd = static_cast<std::uint32_t>(inner.value()));
    const Fd outer(bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "weir_wait", 4, 4, 1, &options));
    if (!outer.is_open()) return false;
    const std::uint32_t key = 0;
    const int value = inner.value();
    return bpf_map_update_elem(outer.value(), &key, &value, BPF_ANY) == 0;
}

// On a real-time kernel programs can be preempted.
bool is_realtime_kernel() {
    return access("/sys/kernel/realtime", F_OK) == 0;
}

// Runs the calling thread on each CPU once. False if it may not run on all of them.
bool visit_every_cpu() {
    cpu_set_t own;
    // Fails on machines with more CPUs than a cpu_set_t holds.
    if (sched_getaffinity(0, sizeof(own), &own) != 0) return false;
    bool has_visited = true;
    const long cpus = sysconf(_SC_NPROCESSORS_CONF);
    for (long cpu = 0; has_visited && cpu < cpus; ++cpu) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<std::size_t>(cpu), &one);
        has_visited = sched_setaffinity(0, sizeof(one), &one) == 0;
    }
    sched_setaffinity(0, sizeof(own), &own);
    return has_visited;
}

} // namespace

void wait_for_programs() {
    if (is_realtime_kernel() || !visit_every_cpu()) grace_period();
}

void grace_period() {
    // Is refused on kernels with isolated (nohz_full) CPUs.
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0) return;
    if (wait_by_map_in_map()) return;
    std::this_thread::sleep_for(kLongerThanAnyProgram);
}

} // namespace weir
