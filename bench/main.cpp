// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include "bench/dataplane.h"
#include "bench/report.h"

int main(int argc, char** argv) {
    CLI::App app{"Measures Weir as ratios to a baseline of the same run.", "weir-bench"};
    std::string format = "table";
    int rounds = 15;
    std::vector<std::string> only;
    app.add_option("-o,--output", format, "table, or json: one object a line")
        ->check(CLI::IsMember({"table", "json"}));
    app.add_option("--rounds", rounds, "How often each figure is measured")
        ->check(CLI::Range(3, 1000));
    app.add_option("suite", only, "dataplane (all when none is named)")
        ->check(CLI::IsMember({"dataplane"}));
    CLI11_PARSE(app, argc, argv);

    weir::bench::Report report(format == "json");
    const auto done = weir::bench::measure_dataplane(report, rounds);
    if (!done) {
        fmt::print(stderr, "weir-bench: {}\n", done.error().what);
        return 2;
    }
    return report.is_within_limits() ? 0 : 1;
}
