// SPDX-License-Identifier: Apache-2.0
#include "bench/compile.h"

#include <fmt/core.h>

#include <functional>

#include "bench/compiler_rig.h"

namespace weir::bench {
namespace {

using NextChange = std::function<Change()>;

struct Costs {
    Samples milliseconds;
    double moved = 0; // addresses a change, on average
};

Result<Costs> measure_changes(CompilerRig& rig, int changes, const NextChange& next) {
    Costs costs;
    rig.take_moved();
    for (int i = 0; i < changes; i++) {
        auto elapsed = rig.apply(next());
        if (!elapsed) return std::unexpected(elapsed.error());
        costs.milliseconds.push_back(*elapsed);
    }
    costs.moved = static_cast<double>(rig.take_moved()) / changes;
    return costs;
}

Result<> report_changes(Report& report, CompilerRig& rig, const std::string& name, double limit,
                        int changes, const NextChange& next) {
    const auto costs = measure_changes(rig, changes, next);
    if (!costs) return std::unexpected(costs.error());
    Figure figure;
    figure.name = name;
    figure.value = percentile(costs->milliseconds, 0.99);
    figure.unit = "ms";
    figure.limit = limit;
    figure.min = minimum(costs->milliseconds);
    figure.note = fmt::format("p99 of {}; median {:.2f}, {:.0f} addresses a change", changes,
                              median(costs->milliseconds), costs->moved);
    report.add(figure);
    return {};
}

Figure first_figure(const std::string& name, double milliseconds, const WorkloadSize& size,
                    const Usage& usage) {
    Figure figure;
    figure.name = name;
    figure.value = milliseconds;
    figure.unit = "ms";
    figure.note = fmt::format(
        "{} pods, {} policies, {} local; {} peers, {} tables, {} rules, {} intervals", size.pods,
        size.policies, size.local_pods, usage.peers, usage.tables, usage.rules, usage.intervals);
    return figure;
}

// One line of growth: what a size costs at first, and for a change.
Result<> measure_size(Report& report, const std::string& name, const WorkloadSize& size,
                      int changes) {
    auto rig = CompilerRig::open();
    if (!rig) return std::unexpected(rig.error());
    Workload workload(size);
    const auto first = rig->apply(workload.everything(), workload.local_pods());
    if (!first) return std::unexpected(first.error());
    report.add(first_figure(name + "_first", *first, size, rig->usage()));
    const std::pair<const char*, NextChange> kinds[] = {
        {"_pod_change", [&] { return workload.next_pod_change(); }},
        {"_policy_change", [&] { return workload.next_policy_change(); }}};
    for (const auto& [kind, next] : kinds) {
        const auto costs = measure_changes(*rig, changes, next);
        if (!costs) return std::unexpected(costs.error());
        Figure figure;
        figure.name = name + kind;
        figure.value = median(costs->milliseconds);
        figure.unit = "ms";
        figure.note = fmt::format("median of {}; p99 {:.2f}, {:.0f} addresses a change", changes,
                                  percentile(costs->milliseconds, 0.99), costs->moved);
        report.add(figure);
    }
    return {};
}

} // namespace

Result<> measure_compile(Report& report, const std::string& prefix, const WorkloadSize& size,
                         const CompileLimits& limits, int changes) {
    auto rig = CompilerRig::open();
    if (!rig) return std::unexpected(rig.error());
    Workload workload(size);
    const auto first = rig->apply(workload.everything(), workload.local_pods());
    if (!first) return std::unexpected(first.error());
    auto figure = first_figure(prefix + "_first", *first, size, rig->usage());
    figure.limit = limits.first_ms;
    report.add(figure);

    struct Kind {
        const char* name;
        bool is_for_large;
        NextChange next;
    };
    const Kind kinds[] = {
        {"_pod_change_p99", false, [&] { return workload.next_pod_change(); }},
        {"_policy_change_p99", false, [&] { return workload.next_policy_change(); }},
        {"_namespace_change_p99", true, [&] { return workload.next_namespace_change(); }},
        {"_tier_change_p99", true, [&] { return workload.next_tier_change(); }},
        {"_identity_change_p99", true, [&] { return workload.next_authorization_change(); }}};
    for (const auto& kind : kinds) {
        if (kind.is_for_large && !size.is_large()) continue;
        auto done = report_changes(report, *rig, prefix + kind.name, limits.change_p99_ms, changes,
                                   kind.next);
        if (!done) return done;
    }
    return {};
}

Result<> measure_growth(Report& report, int changes) {
    for (const std::uint32_t pods : {1'000U, 10'000U, 30'000U, 100'000U}) {
        auto done = measure_size(report, fmt::format("growth_{}_pods", pods),
                                 WorkloadSize::large(pods, pods), changes);
        if (!done) return done;
    }
    for (const std::uint32_t policies : {100U, 1'000U, 10'000U}) {
        auto done = measure_size(report, fmt::format("growth_{}_policies", policies),
                                 WorkloadSize::large(30'000, policies), changes);
        if (!done) return done;
    }
    return {};
}

} // namespace weir::bench
