// SPDX-License-Identifier: Apache-2.0
// `weir cleanup`: takes Weir off this node. Needs no agent, and refuses while one runs.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/cli/call.h"
#include "agent/cli/command.h"
#include "agent/cli/output.h"
#include "agent/removal.h"
#include "agent/run_lock.h"

namespace weir::cli {
namespace {

// Cleanup makes no folder to lock that was not there.
Result<RunLock> take_lock(const Options& options) {
    if (std::filesystem::exists(options.run_dir)) {
        return RunLock::take(options.run_dir, options.bpffs);
    }
    RunLock lock;
    if (!std::filesystem::exists(options.bpffs)) return lock;
    if (auto taken = lock.take_bpffs(options.bpffs); !taken) return std::unexpected(taken.error());
    return lock;
}

void run_cleanup(Options& options) {
    const auto lock = take_lock(options);
    if (!lock) return fail(lock.error().what + "; stop it first", options);
    const auto removed = remove_from_node(options.run_dir, options.bpffs);
    if (!removed) return fail(removed.error().what, options);
    if (options.is_json()) {
        const nlohmann::json answer = {{"interfaces", removed->interfaces},
                                       {"pins", removed->pins}};
        std::cout << answer.dump() << '\n';
        return;
    }
    std::cout << fmt::format("removed Weir from {} interfaces, {} pins; no traffic is judged now\n",
                             removed->interfaces, removed->pins);
}

} // namespace

void add_cleanup(CLI::App& app, Options& options) {
    CLI::App* command =
        app.add_subcommand("cleanup", "Remove every hook, pin and file of Weir's from this node");
    command->add_option("--bpffs", options.bpffs, "Folder of the agent's pins")
        ->envname("WEIR_BPFFS");
    command->footer(
        "Refuses while an agent runs.\n\nExamples:\n  weir cleanup\n"
        "  weir cleanup --run-dir /run/weir-n2 --bpffs /sys/fs/bpf/weir-n2");
    command->callback([&options] { run_cleanup(options); });
}

} // namespace weir::cli
