// SPDX-License-Identifier: Apache-2.0
// `weir install` and `weir uninstall`: weir-cni in the node's CNI chain. Need no agent.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "agent/cli/call.h"
#include "agent/cli/client.h"
#include "agent/cli/command.h"
#include "agent/cli/output.h"
#include "agent/cni/install.h"

namespace weir::cli {
namespace {

struct InstallArguments {
    std::string conf_dir = "/etc/cni/net.d";
    std::string bin_dir = "/opt/cni/bin";
    std::string program = default_cni_program().string();

    CniPlaces places(const Options& options) const {
        return {.conf_dir = conf_dir,
                .bin_dir = bin_dir,
                .program = program,
                .socket = options.run_dir + "/cni.sock"};
    }
};

void run_install(const InstallArguments& arguments, Options& options) {
    const auto installed = install_cni(arguments.places(options));
    if (!installed) return fail(installed.error().what, options);
    if (installed->conflist.empty()) {
        return fail("no usable CNI configuration in " + arguments.conf_dir +
                        ": install the cluster's CNI first, or let `weir agent --cni-conf-dir` "
                        "chain weir-cni when it comes",
                    options);
    }
    if (options.is_json()) {
        const nlohmann::json answer = {{"conflist", installed->conflist.string()},
                                       {"changed", installed->is_changed}};
        std::cout << answer.dump() << '\n';
        return;
    }
    std::cout << fmt::format(
        "weir-cni is {} {}: pods start from now on with their policy in force\n",
        installed->is_changed ? "chained in" : "chained already in", installed->conflist.string());
}

void run_uninstall(const InstallArguments& arguments, Options& options) {
    const auto status = ControlClient(options.run_dir).status();
    if (status && !status->cni_conf_dir().empty()) {
        return fail("the agent (pid " + std::to_string(status->pid()) +
                        ") keeps weir-cni chained "
                        "(--cni-conf-dir): stop it first",
                    options);
    }
    const auto changed = uninstall_cni(arguments.places(options));
    if (!changed) return fail(changed.error().what, options);
    if (options.is_json()) {
        nlohmann::json answer = {{"changed", nlohmann::json::array()}};
        for (const auto& file : *changed)
            answer["changed"].push_back(file.string());
        std::cout << answer.dump() << '\n';
        return;
    }
    for (const auto& file : *changed)
        std::cout << "weir-cni is out of " << file.string() << '\n';
    std::cout << (changed->empty() ? "weir-cni was not installed; " : "")
              << "pods that run keep their policy; `weir cleanup` takes it off\n";
}

void add_options(CLI::App* command, InstallArguments& arguments) {
    command->add_option("--cni-conf-dir", arguments.conf_dir, "Folder of the CNI configuration")
        ->envname("WEIR_CNI_CONF_DIR")
        ->type_name("DIR");
    command->add_option("--cni-bin-dir", arguments.bin_dir, "Folder of the CNI plugins")
        ->envname("WEIR_CNI_BIN_DIR")
        ->type_name("DIR");
}

} // namespace

void add_install(CLI::App& app, Options& options) {
    auto arguments = std::make_shared<InstallArguments>();
    CLI::App* install =
        app.add_subcommand("install", "Chain weir-cni into the node's CNI configuration");
    add_options(install, *arguments);
    install->add_option("--program", arguments->program, "The weir-cni to install")
        ->type_name("PATH");
    install->footer(
        "Changes the first usable configuration by name, in one step; again: changes nothing.\n"
        "While no agent runs, pods do not start: the kubelet tries again.\n\n"
        "Example:\n  weir install --cni-conf-dir /etc/cni/net.d --cni-bin-dir /opt/cni/bin");
    install->callback([arguments, &options] { run_install(*arguments, options); });

    CLI::App* uninstall =
        app.add_subcommand("uninstall", "Take weir-cni out of the CNI configuration again");
    add_options(uninstall, *arguments);
    uninstall->footer(
        "A configuration that nobody changed since is as it was before `weir install`.\n\n"
        "Example:\n  weir uninstall && weir cleanup");
    uninstall->callback([arguments, &options] { run_uninstall(*arguments, options); });
}

} // namespace weir::cli
