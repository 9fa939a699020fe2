// SPDX-License-Identifier: Apache-2.0
// The commands of the `weir` program, one file each. Every function adds its command to the tree;
// its callback leaves the exit status in Options: 0 done, 1 a negative answer or a problem found,
// 2 wrong usage or no agent to talk to.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace weir::cli {

enum ExitStatus { kDone = 0, kNegative = 1, kCannot = 2 };

// What all commands share.
struct Options {
    std::string run_dir = "/run/weir";
    std::string bpffs = "/sys/fs/bpf/weir";
    std::string output = "table";
    int exit_status = kDone;

    bool is_json() const { return output == "json"; }
};

void add_agent(CLI::App& app, Options& options);
void add_check(CLI::App& app, Options& options);
void add_cleanup(CLI::App& app, Options& options);
void add_completion(CLI::App& app, Options& options);
void add_diff(CLI::App& app, Options& options);
void add_endpoint(CLI::App& app, Options& options);
void add_explain(CLI::App& app, Options& options);
void add_flows(CLI::App& app, Options& options);
void add_install(CLI::App& app, Options& options); // and uninstall
void add_policy(CLI::App& app, Options& options);
void add_probe(CLI::App& app, Options& options);
void add_services(CLI::App& app, Options& options);
void add_status(CLI::App& app, Options& options);
void add_suggest(CLI::App& app, Options& options);
void add_verdicts(CLI::App& app, Options& options);
void add_version(CLI::App& app, Options& options);

} // namespace weir::cli
