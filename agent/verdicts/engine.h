// SPDX-License-Identifier: Apache-2.0
// What decides a flow's side for `weir verdicts`: the real programs or the compiled tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bpf/abi.h"
#include "loader/result.h"
#include "policy/address.h"
#include "policy/compiler.h"

namespace weir {

// One side of a flow: would the pod in the slot let the first packet out, or in?
struct SideQuestion {
    std::uint32_t slot = 0;
    weir_direction direction = WEIR_EGRESS;
    Address source;
    Address destination;
    std::uint8_t protocol = 0; // TCP, UDP or SCTP
    std::uint16_t port = 0;    // of the destination
    bool is_from_own_node = false;
};

struct SideAnswer {
    bool is_allowed = true;
    std::uint32_t rule = WEIR_RULE_NONE;
    std::string error; // empty unless the engine contradicts itself
};

class Engine {
public:
    virtual ~Engine() = default;

    // How many pods it can judge.
    virtual std::size_t max_pods() const = 0;
    virtual Limits limits() const = 0;
    // Makes the slots ready and puts a compiled transaction in force.
    virtual Result<> apply(const std::vector<LocalPod>& new_pods,
                           const Transaction& transaction) = 0;
    // Questions about one slot after another are the fastest.
    virtual Result<SideAnswer> judge(const SideQuestion& question) = 0;
};

// Both hold as much as a node's maps with this --map-memory (loader/map_budget.h).
// Userspace, no privilege: TableImage.
std::unique_ptr<Engine> make_model_engine(std::uint64_t map_memory);
// The shipped programs, loaded privately and run on built packets (BPF_PROG_TEST_RUN).
Result<std::unique_ptr<Engine>> make_kernel_engine(std::uint64_t map_memory);

} // namespace weir
