// SPDX-License-Identifier: Apache-2.0
// A compiler on real maps, as the agent has it: changes in, revisions in force.
#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <vector>

#include "loader/dataplane.h"
#include "policy/compiler.h"

namespace weir::bench {

class CompilerRig {
public:
    // Needs CAP_BPF.
    static Result<CompilerRig> open();

    // Until the revision is in force; milliseconds. What it left behind is erased behind the clock.
    Result<double> apply(const Change& change, const std::vector<LocalPod>& pods = {});

    // The same without waiting for a grace period: what changes left behind is erased by a later
    // call, when one has passed.
    Result<> apply_quickly(const Change& change);

    // Addresses and prefixes that changes since the last call moved, transitions included.
    std::size_t take_moved() { return std::exchange(moved_, 0); }
    Usage usage() const { return compiler_.usage(); }
    Dataplane& dataplane() { return dataplane_; }
    Compiler& compiler() { return compiler_; }

private:
    explicit CompilerRig(Dataplane dataplane);

    Result<std::uint64_t> revise();
    Result<> erase_garbage_of(std::uint64_t commit);

    Dataplane dataplane_;
    Compiler compiler_;
    std::uint32_t revision_ = 0;
    std::size_t moved_ = 0;
    std::future<void> grace_; // of the revisions up to grace_commit_
    std::uint64_t grace_commit_ = 0;
};

} // namespace weir::bench
