// SPDX-License-Identifier: Apache-2.0
// One established flow of a pod of the workload, whose packets are timed.
#pragma once

#include <memory>

#include "bench/bench.skel.h"
#include "bench/compiler_rig.h"
#include "policy/compiler.h"
#include "tests/support/packet.h"

namespace weir::bench {

class EstablishedFlow {
public:
    // The slot that BPF_PROG_TEST_RUN's own device has: the pod to be watched is to be there.
    static constexpr std::uint32_t kSlot = WEIR_SLOT_HOME(1);

    // Makes the pod an endpoint on that device. Before its first revision.
    static Result<> bind(CompilerRig& rig, const LocalPod& pod);
    // Opens a flow from the pod to an address that policy allows.
    static Result<EstablishedFlow> open(CompilerRig& rig, const LocalPod& pod);

    // ns of one packet, net of an empty program.
    Result<double> time() const;

private:
    using Skeleton = std::unique_ptr<bench_bpf, decltype(&bench_bpf__destroy)>;

    EstablishedFlow(Skeleton skeleton, int program, test::Bytes data)
        : skeleton_(std::move(skeleton)), program_(program), data_(std::move(data)) {}

    Skeleton skeleton_;
    int program_;
    test::Bytes data_;
};

} // namespace weir::bench
