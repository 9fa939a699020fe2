// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/cli.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "agent/cli/command.h"
#include "agent/cli/tree.h"

namespace weir::cli {

std::unique_ptr<CLI::App> command_tree(Options& options) {
    auto app = std::make_unique<CLI::App>(
        "Weir decides in the kernel which connections of a Kubernetes node may exist.", "weir");
    app->require_subcommand(1);
    app->fallthrough();
    app->option_defaults()->always_capture_default();
    app->set_help_flag("-h,--help", "Print this help and exit");
    app->add_option("--run-dir", options.run_dir, "Folder of the agent's socket, lock and state")
        ->envname("WEIR_RUN_DIR");
    app->add_option("-o,--output", options.output, "Tables for people or JSON for programs")
        ->check(CLI::IsMember({"table", "json"}));
    add_agent(*app, options);
    add_status(*app, options);
    add_endpoint(*app, options);
    add_policy(*app, options);
    add_explain(*app, options);
    add_services(*app, options);
    add_flows(*app, options);
    add_diff(*app, options);
    add_suggest(*app, options);
    add_check(*app, options);
    add_verdicts(*app, options);
    add_install(*app, options);
    add_probe(*app, options);
    add_cleanup(*app, options);
    add_completion(*app, options);
    add_version(*app, options);
    return app;
}

int run(int argc, char** argv) {
    Options options;
    const auto app = command_tree(options);
    try {
        app->parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app->exit(error) == 0 ? kDone : kCannot;
    }
    return options.exit_status;
}

} // namespace weir::cli
