// SPDX-License-Identifier: Apache-2.0
// `weir verdicts`: test policies in CI, without a cluster or an agent.
#include "agent/verdicts/verdicts.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "agent/cli/command.h"
#include "agent/cli/map_memory.h"
#include "agent/cli/output.h"

namespace weir::cli {
namespace {

struct VerdictsArguments {
    std::string engine = "kernel";
    VerdictsOptions options;
};

} // namespace

void add_verdicts(CLI::App& app, Options& options) {
    CLI::App* command =
        app.add_subcommand("verdicts", "Judge flows from standard input by manifests");
    auto arguments = std::make_shared<VerdictsArguments>();
    command->add_option("--manifests", arguments->options.directory, "Folder of Kubernetes YAML")
        ->required()
        ->type_name("DIR");
    command
        ->add_option("--engine", arguments->engine,
                     "The kernel's programs (needs root) or a model of them")
        ->check(CLI::IsMember({"kernel", "model"}));
    add_map_memory(*command, arguments->options.map_memory);
    command->footer(
        "Reads one JSON object a line: src, dst (NAMESPACE/POD, node/NAME or an address), port,\n"
        "protocol (TCP, UDP, SCTP) and optionally family (IPv4, IPv6); echoes it with verdict,\n"
        "egress, ingress, the rules, or error. Exit status 2 when something cannot be read.\n\n"
        "Example:\n  echo '{\"src\":\"shop/web\",\"dst\":\"shop/db\",\"port\":5432}' |\n"
        "      weir verdicts --manifests ./policies --engine model");
    command->callback([arguments, &options] {
        std::ios::sync_with_stdio(false);
        if (arguments->engine == "model") arguments->options.engine = EngineKind::kModel;
        const auto judged = judge_flows(arguments->options, std::cin, std::cout, std::cerr);
        if (judged) return;
        print_error(judged.error().what);
        options.exit_status = kCannot;
    });
}

} // namespace weir::cli
