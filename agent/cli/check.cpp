// SPDX-License-Identifier: Apache-2.0
// `weir check`: would the API server take these manifests? For a user's CI.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/kube/check.h"

namespace weir::cli {
namespace {

struct CheckArguments {
    std::vector<std::string> paths;
    bool is_strict = false;
};

} // namespace

void add_check(CLI::App& app, Options& options) {
    CLI::App* command = app.add_subcommand("check", "Validate manifests as the API server would");
    auto arguments = std::make_shared<CheckArguments>();
    command->add_option("paths", arguments->paths, "Files, or folders with all below them")
        ->required()
        ->type_name("PATH");
    command->add_flag("--strict", arguments->is_strict, "Take warnings for errors");
    command->footer(
        "Exit status 0 clean, 1 an object is refused, 2 a path cannot be read.\n\n"
        "Examples:\n  weir check policies/\n  weir check --strict -o json web.yaml");
    command->callback([arguments, &options] {
        const CheckReport report = check_paths(arguments->paths);
        if (options.is_json()) {
            std::cout << to_json(report, arguments->is_strict).dump() << '\n';
        } else {
            std::cout << to_text(report, arguments->is_strict);
        }
        options.exit_status = report.exit_status(arguments->is_strict);
    });
}

} // namespace weir::cli
