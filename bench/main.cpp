// SPDX-License-Identifier: Apache-2.0
// weir-bench: what Weir costs, as ratios to a baseline of the same run where hosts would differ.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "bench/churn.h"
#include "bench/compile.h"
#include "bench/dataplane.h"
#include "bench/kube_proxy.h"
#include "bench/memory.h"
#include "bench/report.h"
#include "bench/roundtrip.h"
#include "bench/service_packets.h"
#include "bench/services.h"

namespace {

struct Suite {
    const char* name;
    std::function<weir::Result<>(weir::bench::Report&)> run;
};

// The agent that is measured is the one beside this program, unless told otherwise.
void find_agent() {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (!error) ::setenv("WEIR_PROGRAM", (self.parent_path() / "weir").c_str(), 0);
}

} // namespace

int main(int argc, char** argv) {
    using namespace weir::bench;
    CLI::App app{"Measures Weir. Exit status 1 when a limit is exceeded, 2 when it cannot measure.",
                 "weir-bench"};
    std::string format = "table";
    int rounds = 15;
    WorkloadSize size;
    WorkloadSize large = WorkloadSize::large();
    int seconds = 60;
    std::vector<std::string> only;
    app.add_option("-o,--output", format, "table, or json: one object a line")
        ->check(CLI::IsMember({"table", "json"}));
    app.add_option("--rounds", rounds, "How often each ratio is measured")
        ->check(CLI::Range(3, 1000));
    app.add_option("--pods", size.pods, "Pods of the workload");
    app.add_option("--policies", size.policies, "Policies of the workload");
    app.add_option("--large-pods", large.pods, "Pods of the large cluster");
    app.add_option("--large-policies", large.policies,
                   "Policies of the large cluster, cluster-wide and identity policies included")
        ->check(CLI::Range(100, 1'000'000));
    app.add_option("--seconds", seconds, "How long churn lasts")->check(CLI::Range(1, 3600));
    const std::vector<std::string> suites_known{"dataplane", "services", "kube-proxy", "roundtrip",
                                                "compile",   "growth",   "churn",      "memory"};
    app.add_option("suite", only,
                   "dataplane, services, kube-proxy, roundtrip, compile, growth, churn, memory; "
                   "all when none is named")
        ->check(CLI::IsMember(suites_known));
    CLI11_PARSE(app, argc, argv);
    find_agent();
    large = WorkloadSize::large(large.pods, large.policies);

    const Suite suites[] = {
        {"dataplane", [&](Report& report) { return measure_dataplane(report, rounds); }},
        {"services",
         [&](Report& report) {
             auto done = measure_services(report, rounds);
             return done ? measure_service_packets(report, rounds) : done;
         }},
        {"kube-proxy", [&](Report& report) { return measure_kube_proxy(report, rounds); }},
        {"roundtrip", [&](Report& report) { return measure_roundtrip(report, rounds); }},
        {"compile",
         [&](Report& report) {
             auto done = measure_compile(report, "compile", size, {}, 300);
             return done ? measure_compile(report, "large", large,
                                           {.first_ms = 3000, .change_p99_ms = 20}, 300)
                         : done;
         }},
        {"growth", [&](Report& report) { return measure_growth(report, 100); }},
        {"churn", [&](Report& report) { return measure_churn(report, large, seconds); }},
        {"memory",
         [&](Report& report) {
             auto done = measure_memory(report, "agent_resident", size, 40);
             return done ? measure_memory(report, "large_agent_resident", large, 150) : done;
         }},
    };
    Report report(format == "json");
    for (const Suite& suite : suites) {
        if (!only.empty() && std::find(only.begin(), only.end(), suite.name) == only.end())
            continue;
        if (const auto done = suite.run(report); !done) {
            fmt::print(stderr, "weir-bench: {}: {}\n", suite.name, done.error().what);
            return 2;
        }
    }
    return report.is_within_limits() ? 0 : 1;
}
