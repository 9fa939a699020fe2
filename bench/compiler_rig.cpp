// SPDX-License-Identifier: Apache-2.0
#include "bench/compiler_rig.h"

#include <fmt/core.h>

#include <chrono>
#include <utility>

#include "agent/revision.h"
#include "bench/stopwatch.h"

namespace weir::bench {

Result<CompilerRig> CompilerRig::open() {
    auto dataplane = Dataplane::open({});
    if (!dataplane) return std::unexpected(dataplane.error());
    return CompilerRig(std::move(*dataplane));
}

CompilerRig::CompilerRig(Dataplane dataplane)
    : dataplane_(std::move(dataplane)), compiler_({.limits = limits_of(dataplane_)}) {}

Result<std::uint64_t> CompilerRig::revise() {
    auto outcome = compiler_.compile();
    if (const auto* full = std::get_if<DoesNotFit>(&outcome)) {
        return failure(fmt::format("{} needs {} entries, has {}, because of {}", full->map,
                                   full->needed, full->limit, full->policy));
    }
    const auto& transaction = std::get<Transaction>(outcome);
    if (auto done = write_revision(dataplane_, transaction, ++revision_); !done)
        return std::unexpected(done.error());
    moved_ += transaction.peers.size() + transaction.prefixes.size();
    return compiler_.commit();
}

Result<> CompilerRig::erase_garbage_of(std::uint64_t commit) {
    auto done = erase_garbage(dataplane_, compiler_.take_garbage(commit));
    compiler_.reclaim();
    return done;
}

Result<double> CompilerRig::apply(const Change& change, const std::vector<LocalPod>& pods) {
    const Stopwatch watch;
    compiler_.apply(change);
    for (const LocalPod& pod : pods)
        compiler_.set_local(pod);
    const auto commit = revise();
    if (!commit) return std::unexpected(commit.error());
    const double elapsed = watch.milliseconds();
    grace_period();
    if (auto done = erase_garbage_of(*commit); !done) return std::unexpected(done.error());
    return elapsed;
}

Result<> CompilerRig::apply_quickly(const Change& change) {
    if (grace_.valid() && grace_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
        grace_.get();
        if (auto done = erase_garbage_of(grace_commit_); !done) return done;
    }
    compiler_.apply(change);
    const auto commit = revise();
    if (!commit) return std::unexpected(commit.error());
    if (!grace_.valid()) {
        grace_commit_ = *commit;
        grace_ = std::async(std::launch::async, grace_period);
    }
    return {};
}

} // namespace weir::bench
