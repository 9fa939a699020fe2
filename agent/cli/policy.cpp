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

struct PolicyArguments {
    std::string ns;
    std::string name;
};

std::string isolates_text(const v1::Policy& policy) {
    if (policy.isolates_ingress() && policy.isolates_egress()) return "ingress, egress";
    if (policy.isolates_egress()) return "egress";
    return policy.isolates_ingress() ? "ingress" : "-";
}

std::string name_text(const v1::Policy& policy) {
    return policy.namespace_().empty() ? policy.name() : policy.namespace_() + "/" + policy.name();
}

std::string tier_text(const v1::Policy& policy) {
    if (policy.has_priority()) return fmt::format("{} {}", policy.tier(), policy.priority());
    return policy.action().empty() ? policy.tier() : policy.tier() + " " + policy.action();
}

Cell mode_cell(const v1::Policy& policy) {
    return {policy.mode(), policy.mode() == "enforced" ? Colour::kNone : Colour::kWarning};
}

std::string from_text(const v1::Policy& policy) {
    return policy.file().empty() ? "Kubernetes API" : place_text(policy.file(), policy.line());
}

void print_policies(const v1::ListPoliciesResponse& answer) {
    Table table({"KIND", "POLICY", "TIER", "MODE", "SELECTS", "ISOLATES", "RULES", "HERE", "FROM"});
    for (const auto& policy : answer.policies()) {
        table.add({policy.kind(), name_text(policy), tier_text(policy), mode_cell(policy),
                   policy.subjects(), isolates_text(policy),
                   std::to_string(policy.ingress_rules() + policy.egress_rules()),
                   std::to_string(policy.selected_here_size()), from_text(policy)});
    }
    if (table.is_empty()) {
        std::cout << "no policies: every connection is allowed\n";
        return;
    }
    table.print(std::cout, is_colourful());
}

void print_facts(const v1::Policy& policy) {
    Table facts({});
    facts.add({"policy", policy.kind() + " " + name_text(policy)});
    facts.add({"tier", tier_text(policy)});
    facts.add({"mode", mode_cell(policy)});
    facts.add({"from", from_text(policy)});
    facts.add({"selects", policy.subjects()});
    facts.add({"isolates", isolates_text(policy)});
    facts.add({"selected here", policy.selected_here_size() == 0
                                    ? "no endpoint of this node"
                                    : fmt::format("{}", fmt::join(policy.selected_here(), ", "))});
    facts.print(std::cout, is_colourful());
}

std::string peers_text(const v1::PolicyRule& rule) {
    std::string text = fmt::format("{}", fmt::join(rule.peers(), "; "));
    if (rule.conditions_size() == 0) return text;
    return fmt::format("{} when {}", text, fmt::join(rule.conditions(), " and "));
}

void print_policy(const v1::PolicyDetails& details) {
    print_facts(details.policy());
    if (details.rules_size() == 0) {
        const bool is_isolating =
            details.policy().isolates_ingress() || details.policy().isolates_egress();
        std::cout << (is_isolating
                          ? "\nno rules: nothing is allowed in the directions it isolates\n"
                          : "\nno rules: it decides nothing\n");
        return;
    }
    std::cout << '\n';
    Table rules({"DIRECTION", "RULE", "ACTION", "PEERS", "PORTS", "LINE"});
    for (const auto& rule : details.rules()) {
        const std::string index = std::to_string(rule.index());
        rules.add({rule.direction(), rule.name().empty() ? index : index + " " + rule.name(),
                   rule.action(), peers_text(rule),
                   fmt::format("{}", fmt::join(rule.ports(), ", ")),
                   rule.line() == 0 ? "-" : std::to_string(rule.line())});
    }
    rules.print(std::cout, is_colourful());
}

std::string check_name(const std::string& text) {
    if (parse_object(text)) return "";
    return "'" + text + "' is not [KIND/][NAMESPACE/]NAME";
}

void run_show(const PolicyArguments& arguments, Options& options) {
    const auto object = parse_object(arguments.name);
    v1::ShowPolicyRequest request;
    request.set_kind(object->kind);
    request.set_namespace_(object->ns);
    request.set_name(object->name);
    show(ControlClient(options.run_dir).show_policy(request), options, print_policy);
}

} // namespace

void add_policy(CLI::App& app, Options& options) {
    CLI::App* group = app.add_subcommand("policy", "The policies in force");
    group->require_subcommand(1);
    auto arguments = std::make_shared<PolicyArguments>();

    CLI::App* list =
        group->add_subcommand("list", "All policies, in the order in which tiers are asked");
    list->add_option("-n,--namespace", arguments->ns, "Only those of this namespace");
    list->footer("Examples:\n  weir policy list\n  weir policy list --namespace shop -o json");
    list->callback([arguments, &options] {
        v1::ListPoliciesRequest request;
        request.set_namespace_(arguments->ns);
        show(ControlClient(options.run_dir).list_policies(request), options, print_policies);
    });

    CLI::App* show_command = group->add_subcommand("show", "One policy with its rules");
    show_command
        ->add_option("name", arguments->name,
                     "[KIND/][NAMESPACE/]NAME, as much of it as tells it from others")
        ->required()
        ->check(check_name);
    show_command->footer(
        "Examples:\n  weir policy show shop/deny-all\n"
        "  weir policy show AdminNetworkPolicy/quarantine");
    show_command->callback([arguments, &options] { run_show(*arguments, options); });
}

} // namespace weir::cli
