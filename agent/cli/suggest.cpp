// SPDX-License-Identifier: Apache-2.0
// `weir suggest`: least-privilege policies from the flows seen.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "agent/cli/call.h"

namespace weir::cli {
namespace {

struct SuggestArguments {
    std::string ns;
    bool include_denied = false;
};

void print_suggestion(const v1::SuggestResponse& answer) {
    std::cout << answer.yaml() << std::flush;
    std::cerr << fmt::format("weir: {} policies from {} flows", answer.policies(), answer.flows());
    if (answer.denied_flows() > 0) {
        std::cerr << fmt::format("; {} were denied", answer.denied_flows());
    }
    std::cerr << '\n';
}

void run_suggest(const SuggestArguments& arguments, Options& options) {
    v1::SuggestRequest request;
    request.set_namespace_(arguments.ns);
    request.set_include_denied(arguments.include_denied);
    const auto answer = ControlClient(options.run_dir).suggest(request);
    if (answer && answer->failures_size() > 0 && !options.is_json()) {
        print_error("the suggested policies fail their own check and are not printed:");
        for (const auto& failure : answer->failures())
            print_error("  " + failure);
        options.exit_status = kNegative;
        return;
    }
    show(answer, options, print_suggestion);
    if (answer && answer->failures_size() > 0) options.exit_status = kNegative;
}

} // namespace

void add_suggest(CLI::App& app, Options& options) {
    CLI::App* command =
        app.add_subcommand("suggest", "Least-privilege NetworkPolicies from the flows seen");
    auto arguments = std::make_shared<SuggestArguments>();
    command->add_option("namespace", arguments->ns, "Whose pods the policies are for")
        ->required()
        ->type_name("NAMESPACE");
    command->add_flag("--include-denied", arguments->include_denied,
                      "Also allow what was denied by policy");
    command->footer(
        "Writes one policy a workload to standard output; a comment over each rule names the "
        "flows\n"
        "that it was derived from. Only what this node saw lately counts (agent option\n"
        "--flow-memory): look at it before you apply it, for instance with `weir diff`. Before it\n"
        "is printed it is checked that the policies deny none of those flows; exit status 1 when\n"
        "they would.\n\n"
        "Examples:\n  weir suggest shop > shop-policies.yaml\n"
        "  weir suggest shop | weir diff -");
    command->callback([arguments, &options] { run_suggest(*arguments, options); });
}

} // namespace weir::cli
