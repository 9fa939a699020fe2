// SPDX-License-Identifier: Apache-2.0
// `weir version`: of the program and of the kernel contract its pins carry.
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "bpf/abi.h"

namespace weir::cli {

void add_version(CLI::App& app, Options& options) {
    CLI::App* command = app.add_subcommand("version", "Version of this program");
    command->footer("Example:\n  weir version -o json");
    command->callback([&options] {
        if (options.is_json()) {
            const nlohmann::json version = {{"version", WEIR_VERSION}, {"abi", WEIR_ABI_VERSION}};
            std::cout << version.dump() << '\n';
        } else {
            std::cout << "weir " << WEIR_VERSION << " (kernel ABI " << WEIR_ABI_VERSION << ")\n";
        }
    });
}

} // namespace weir::cli
