// SPDX-License-Identifier: Apache-2.0
// Two ways to wait for an RCU grace period, after which no program still holds what it read before.
#include <bpf/bpf.h>
#include <linux/membarrier.h>
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

} // namespace

void grace_period() {
    // Is refused on kernels with isolated (nohz_full) CPUs.
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0) return;
    if (wait_by_map_in_map()) return;
    std::this_thread::sleep_for(kLongerThanAnyProgram);
}

} // namespace weir
