// SPDX-License-Identifier: Apache-2.0
// What tests of the loader need of the kernel: bpffs of their own, a network namespace of their own
// for the whole program, pods behind veths, small maps.
#pragma once

#include <linux/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "loader/dataplane.h"
#include "loader/fd.h"
#include "tests/support/lab_process.h"
#include "tests/support/netns.h"

namespace weir::test {

// Moves the program to a fresh network namespace, once; as the agent's, "the host".
void enter_host_netns();
// An iproute2 command in it. A failure ends the test program.
void ip(const std::string& line);
std::string tc(const std::string& line); // its output

// A folder on bpffs of its own, which the loader makes.
class BpffsFolder {
public:
    BpffsFolder();
    ~BpffsFolder();
    std::string path() const { return mount_point() + "/weir"; }
    std::string pins() const { return path() + "/v" + std::to_string(WEIR_ABI_VERSION); }

private:
    std::string mount_point() const { return directory_.path() + "/bpf"; }

    TempDirectory directory_;
};

// A pod: a namespace whose eth0 is the peer of the host's interface of the given name.
struct VethPod {
    explicit VethPod(const std::string& name);
    ~VethPod();
    VethPod(const VethPod&) = delete;
    VethPod& operator=(const VethPod&) = delete;

    Netns netns;
    std::string host_name;
    std::uint32_t ifindex = 0; // of the host side
};

MapSizes small_sizes();
// Maps of these sizes, pinned there. Ends the test program on an error.
Dataplane open_dataplane(const std::string& bpffs, HookKind hook = HookKind::kAuto);

// A tc program of somebody else's: lets everything by to the next one.
Fd load_foreign_program();
// Ids of the programs in a tcx hook, in order.
std::vector<__u32> tcx_programs(std::uint32_t ifindex, weir_direction direction);
std::uint32_t program_id(int fd);

// In weir_counters.
constexpr std::size_t counter_index(weir_direction direction, weir_drop_reason reason) {
    constexpr std::size_t reasons{WEIR_DROP_REASON_COUNT};
    return direction * reasons + reason;
}

} // namespace weir::test
