// SPDX-License-Identifier: Apache-2.0
// `weir policy list|show`: the policies in force and what they say.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "agent/cli/call.h"
#include "agent/cli/ends.h"

namespace weir::cli {
namespace {

struct Arguments {
    std::string ns;
    std::string name;
};

std::string isolates_text(const v1::Policy& policy) {
    if (policy.isolates_ingress() && policy.isolates_egress()) return "ingress, egress";
    if (policy.isolates_egress()) return "egress";
    return policy.isolates_ingress() ? "ingress" : "-";
}

void print_policies(const v1::ListPoliciesResponse& answer) {
    Table table({"POLICY", "SELECTS", "ISOLATES", "RULES", "HERE", "FROM"});
    for (const auto& policy : answer.policies()) {
        table.add({policy.namespace_() + "/" + policy.name(), policy.subjects(),
                   isolates_text(policy),
                   std::to_string(policy.ingress_rules() + policy.egress_rules()),
                   std::to_string(policy.selected_here_size()),
                   place_text(policy.file(), policy.line())});
    }
    if (table.is_empty()) {
        std::cout << "no policies: every connection is allowed\n";
        return;
    }
    table.print(std::cout, is_colourful());
}

void print_policy(const v1::PolicyDetails& details) {
    const auto& policy = details.policy();
    Table facts({});
    facts.add(
        {"policy", fmt::format("{} {}/{}", policy.kind(), policy.namespace_(), policy.name())});
    facts.add({"from", place_text(policy.file(), policy.line())});
    facts.add({"selects", policy.subjects()});
    facts.add({"isolates", isolates_text(policy)});
    facts.add({"selected here", policy.selected_here_size() == 0
                                    ? "no endpoint of this node"
                                    : fmt::format("{}", fmt::join(policy.selected_here(), ", "))});
    facts.print(std::cout, is_colourful());
    if (details.rules_size() == 0) {
        std::cout << "\nno rules: nothing is allowed in the directions it isolates\n";
        return;
    }
    std::cout << '\n';
    Table rules({"DIRECTION", "RULE", "PEERS", "PORTS", "LINE"});
    for (const auto& rule : details.rules()) {
        rules.add({rule.direction(), std::to_string(rule.index()),
                   fmt::format("{}", fmt::join(rule.peers(), "; ")),
                   fmt::format("{}", fmt::join(rule.ports(), ", ")), std::to_string(rule.line())});
    }
    rules.print(std::cout, is_colourful());
}

void run_show(const Arguments& arguments, Options& options) {
    v1::ShowPolicyRequest request;
    request.set_name(arguments.name);
    if (const auto full = parse_pod_name(arguments.name)) {
        request.set_namespace_(full->ns);
        request.set_name(full->name);
    }
    show(ControlClient(options.run_dir).show_policy(request), options, print_policy);
}

} // namespace

void add_policy(CLI::App& app, Options& options) {
    CLI::App* group = app.add_subcommand("policy", "The policies in force");
    group->require_subcommand(1);
    auto arguments = std::make_shared<Arguments>();

    CLI::App* list =
        group->add_subcommand("list", "All policies, and how many endpoints each selects");
    list->add_option("-n,--namespace", arguments->ns, "Only those of this namespace");
    list->footer("Examples:\n  weir policy list\n  weir policy list --namespace shop -o json");
    list->callback([arguments, &options] {
        v1::ListPoliciesRequest request;
        request.set_namespace_(arguments->ns);
        show(ControlClient(options.run_dir).list_policies(request), options, print_policies);
    });

    CLI::App* show_command = group->add_subcommand("show", "One policy with its rules");
    show_command
        ->add_option("name", arguments->name, "NAMESPACE/NAME, or NAME if it is the only one")
        ->required();
    show_command->footer("Example:\n  weir policy show shop/deny-all");
    show_command->callback([arguments, &options] { run_show(*arguments, options); });
}

} // namespace weir::cli
