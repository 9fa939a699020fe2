// SPDX-License-Identifier: Apache-2.0
#include "bench/compile.h"

#include <fmt/core.h>

#include <chrono>

#include "agent/revision.h"
#include "loader/dataplane.h"

namespace weir::bench {
namespace {

class Stopwatch {
public:
    double milliseconds() const {
        return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin_)
            .count();
    }

private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

class CompileBench {
public:
    static Result<CompileBench> open() {
        auto dataplane = Dataplane::open({});
        if (!dataplane) return std::unexpected(dataplane.error());
        return CompileBench(std::move(*dataplane));
    }

    Compiler& compiler() { return compiler_; }
    const Dataplane& dataplane() const { return dataplane_; }

    // Until the revision is in force. Its garbage is erased behind the clock, as the agent does.
    Result<double> apply(const Change& change, const std::vector<LocalPod>& pods = {}) {
        const Stopwatch watch;
        compiler_.apply(change);
        for (const LocalPod& pod : pods)
            compiler_.set_local(pod);
        auto outcome = compiler_.compile();
        if (const auto* full = std::get_if<DoesNotFit>(&outcome))
            return failure(
                fmt::format("{} needs {} entries, has {}", full->map, full->needed, full->limit));
        const auto& transaction = std::get<Transaction>(outcome);
        if (auto done = write_revision(dataplane_, transaction, ++revision_); !done)
            return std::unexpected(done.error());
        const std::uint64_t number = compiler_.commit();
        const double elapsed = watch.milliseconds();
        moved_ += transaction.peers.size() + transaction.prefixes.size();
        if (auto done = collect(number); !done) return std::unexpected(done.error());
        return elapsed;
    }

    // Addresses and prefixes that the changes since the last call moved, transitions included.
    std::size_t take_moved() { return std::exchange(moved_, 0); }

private:
    explicit CompileBench(Dataplane dataplane)
        : dataplane_(std::move(dataplane)), compiler_({.limits = limits_of(dataplane_)}) {}

    Result<> collect(std::uint64_t up_to_commit) {
        grace_period();
        auto done = erase_garbage(dataplane_, compiler_.take_garbage(up_to_commit));
        compiler_.reclaim();
        return done;
    }

    Dataplane dataplane_;
    Compiler compiler_;
    std::uint32_t revision_ = 0;
    std::size_t moved_ = 0;
};

Result<> measure_changes(Report& report, CompileBench& bench, const char* name, int changes,
                         const std::function<Change()>& next) {
    Samples samples;
    bench.take_moved();
    for (int i = 0; i < changes; i++) {
        auto elapsed = bench.apply(next());
        if (!elapsed) return std::unexpected(elapsed.error());
        samples.push_back(*elapsed);
    }
    Figure figure;
    figure.name = name;
    figure.value = percentile(samples, 0.99);
    figure.unit = "ms";
    figure.limit = 10;
    figure.min = minimum(samples);
    figure.note = fmt::format("p99 of {}; median {:.2f}, {:.0f} addresses a change", changes,
                              median(samples), static_cast<double>(bench.take_moved()) / changes);
    report.add(figure);
    return {};
}

} // namespace

Result<> measure_compile(Report& report, const WorkloadSize& size, int changes) {
    auto bench = CompileBench::open();
    if (!bench) return std::unexpected(bench.error());
    Workload workload(size);
    auto first = bench->apply(workload.everything(), workload.local_pods());
    if (!first) return std::unexpected(first.error());
    const Usage usage = bench->compiler().usage();
    Figure figure;
    figure.name = "compile_first";
    figure.value = *first;
    figure.unit = "ms";
    figure.limit = 1000;
    figure.note = fmt::format(
        "{} pods, {} policies, {} local; {} peers, {} tables, {} rules, {} intervals", size.pods,
        size.policies, size.local_pods, usage.peers, usage.tables, usage.rules, usage.intervals);
    report.add(figure);
    if (auto done = measure_changes(report, *bench, "compile_pod_change_p99", changes,
                                    [&] { return workload.next_pod_change(); });
        !done)
        return done;
    return measure_changes(report, *bench, "compile_policy_change_p99", changes,
                           [&] { return workload.next_policy_change(); });
}

} // namespace weir::bench
