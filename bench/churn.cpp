// SPDX-License-Identifier: Apache-2.0
#include "bench/churn.h"

#include <fmt/core.h>
#include <sched.h>

#include <chrono>
#include <future>
#include <optional>
#include <thread>

#include "bench/compiler_rig.h"
#include "bench/established_flow.h"

namespace weir::bench {
namespace {

using std::chrono::milliseconds;

constexpr int kChangesPerSecond = 1000;
constexpr milliseconds kInterval{1000 / kChangesPerSecond};
constexpr int kQuietSamples = 300;

// Where there are two CPUs, changes and packets do not take turns on one.
void run_on(std::size_t cpu) {
    if (std::thread::hardware_concurrency() < 2) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    ::sched_setaffinity(0, sizeof(set), &set);
}

// Packet times, until the deadline or the number of samples.
Result<Samples> time_packets(const EstablishedFlow& flow, std::optional<milliseconds> duration) {
    const auto end = std::chrono::steady_clock::now() + duration.value_or(milliseconds{0});
    Samples samples;
    const auto is_over = [&] {
        return duration ? std::chrono::steady_clock::now() >= end : samples.size() >= kQuietSamples;
    };
    while (!is_over()) {
        const auto ns = flow.time();
        if (!ns) return std::unexpected(ns.error());
        samples.push_back(*ns);
    }
    return samples;
}

// What came due since the last revision becomes one, as in the agent.
class Churn {
public:
    Churn(CompilerRig& rig, Workload& workload) : rig_(rig), workload_(workload) {}

    Result<> run(int seconds) {
        const auto begin = std::chrono::steady_clock::now();
        const int total = seconds * kChangesPerSecond;
        for (int done = 0; done < total;) {
            std::this_thread::sleep_until(begin + done * kInterval);
            const auto now = std::chrono::steady_clock::now();
            Change change;
            const int first = done;
            for (; done < total && begin + done * kInterval <= now; ++done) {
                auto next = workload_.next_churn();
                change.upserts.insert(change.upserts.end(), next.upserts.begin(),
                                      next.upserts.end());
                change.erasures.insert(change.erasures.end(), next.erasures.begin(),
                                       next.erasures.end());
            }
            if (auto applied = rig_.apply_quickly(change); !applied) return applied;
            ++revisions_;
            const auto in_force = std::chrono::steady_clock::now();
            for (int each = first; each < done; ++each) {
                lags_.push_back(
                    std::chrono::duration<double, std::milli>(in_force - begin - each * kInterval)
                        .count());
            }
        }
        return {};
    }

    const Samples& lags() const { return lags_; }
    int revisions() const { return revisions_; }

private:
    CompilerRig& rig_;
    Workload& workload_;
    Samples lags_; // of every change, from when it is due to when it is in force
    int revisions_ = 0;
};

} // namespace

Result<> measure_churn(Report& report, const WorkloadSize& size, int seconds) {
    auto rig = CompilerRig::open();
    if (!rig) return std::unexpected(rig.error());
    Workload workload(size);
    const auto pods = workload.local_pods();
    const LocalPod& watched = pods.at(EstablishedFlow::kSlot);
    if (auto bound = EstablishedFlow::bind(*rig, watched); !bound) return bound;
    const auto first = rig->apply(workload.everything(), pods);
    if (!first) return std::unexpected(first.error());
    const auto flow = EstablishedFlow::open(*rig, watched);
    if (!flow) return std::unexpected(flow.error());

    const auto on_second_cpu = [&](std::optional<milliseconds> duration) {
        return std::async(std::launch::async, [&flow, duration] {
            run_on(1);
            return time_packets(*flow, duration);
        });
    };
    const auto before = on_second_cpu(std::nullopt).get();
    if (!before) return std::unexpected(before.error());
    auto packets = on_second_cpu(milliseconds{seconds * 1000});
    Churn churn(*rig, workload);
    const auto done = std::async(std::launch::async, [&] {
                          run_on(0);
                          return churn.run(seconds);
                      }).get();
    const auto during = packets.get();
    if (!done) return done;
    if (!during) return std::unexpected(during.error());

    Figure lag;
    lag.name = "churn_lag_p99";
    lag.value = percentile(churn.lags(), 0.99);
    lag.unit = "ms";
    lag.limit = 20;
    lag.min = minimum(churn.lags());
    lag.note = fmt::format("{} pod changes in {} s, {} revisions; median {:.2f}, last {:.2f}",
                           churn.lags().size(), seconds, churn.revisions(), median(churn.lags()),
                           churn.lags().back());
    report.add(lag);
    Figure cost;
    cost.name = "churn_established_flow";
    cost.value = median(*during) / median(*before);
    cost.unit = "x";
    cost.baseline = "before the changes";
    cost.limit = 1.25;
    cost.note = fmt::format("{:.1f} / {:.1f} ns", median(*during), median(*before));
    report.add(cost);
    return {};
}

} // namespace weir::bench
