// SPDX-License-Identifier: Apache-2.0
// `weir explain`: whether a new connection would be allowed, and because of which rule.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "agent/cli/call.h"
#include "agent/cli/ends.h"

namespace weir::cli {
namespace {

struct ExplainArguments {
    std::string source;
    std::string destination;
    std::string family;
};

std::string check_destination(const std::string& text) {
    if (parse_destination(text)) return "";
    return "'" + text +
           "' is not END:PORT[/PROTOCOL]; an IPv6 address goes in brackets: [fd00::1]:80";
}

std::string without_brackets(const std::string& end) {
    const bool has_brackets = end.size() > 2 && end.front() == '[' && end.back() == ']';
    return has_brackets ? end.substr(1, end.size() - 2) : end;
}

void add_side(Table& table, const char* direction, const v1::ExplainedSide& side) {
    if (!side.judged()) {
        table.add({direction, Cell("-", Colour::kFaint), "", "", side.why_not_judged()});
        return;
    }
    table.add({direction, verdict_cell(side.verdict()), std::to_string(side.class_id()),
               std::to_string(side.table()), rule_text(side.rule())});
}

std::string views_text(const std::string& policies) {
    if (policies == "without_audited") return "without the audited policies";
    return policies == "with_dry_runs" ? "with the dry runs" : "all policies";
}

Cell match_cell(bool is_matching) {
    return is_matching ? Cell("yes", Colour::kGood) : Cell("no", Colour::kFaint);
}

void print_evaluation(const char* direction, const v1::Evaluation& evaluation) {
    std::cout << fmt::format("\n{}, {}: {}\n", direction, views_text(evaluation.policies()),
                             tinted(verdict_cell(evaluation.verdict()), is_colourful()));
    if (evaluation.steps().empty()) {
        std::cout << "  no policy selects the pod in this direction\n";
        return;
    }
    Table table({"  STAGE", "RULE", "MODE", "PEER", "PORT", "ACTION", ""});
    for (const auto& step : evaluation.steps()) {
        table.add({"  " + step.stage(), rule_text(step.rule()), step.mode(),
                   match_cell(step.peer_matches()), match_cell(step.port_matches()), step.action(),
                   step.decides() ? "<- decides" : ""});
    }
    table.print(std::cout, is_colourful());
}

void print_kernel(const char* direction, const v1::KernelRow& way) {
    const std::string class_text =
        way.class_from().empty() ? "class 0 (in no map)"
                                 : fmt::format("class {} ({})", way.class_id(), way.class_from());
    std::cout << fmt::format("\n{}, kernel: {}, table {}, row {}+{} of {}", direction, class_text,
                             way.table(), way.row(), way.row_count(), way.row_from());
    if (way.drop_reason().empty()) {
        std::cout << fmt::format(", interval {} ({}): {}, {}\n", way.interval(), way.ports(),
                                 tinted(verdict_cell(way.verdict()), is_colourful()),
                                 rule_text(way.rule()));
    } else {
        std::cout << ": dropped, " << way.drop_reason() << '\n';
    }
}

void print_way(const char* direction, const v1::ExplainedSide& side) {
    for (const auto& evaluation : side.evaluations())
        print_evaluation(direction, evaluation);
    if (side.has_kernel()) print_kernel(direction, side.kernel());
    for (const auto& difference : side.differences()) {
        std::cout << tinted(Cell(fmt::format("! {}: {}\n", direction, difference), Colour::kBad),
                            is_colourful());
    }
}

void print_explanation(const v1::ExplainResponse& answer) {
    const bool is_open = answer.verdict().empty();
    const Cell verdict =
        is_open ? Cell("not denied here", Colour::kWarning) : verdict_cell(answer.verdict());
    std::cout << fmt::format("{} -> {} {} {}: {}\n\n", end_text(answer.source(), false),
                             end_text(answer.destination()), answer.protocol(), answer.family(),
                             tinted(verdict, is_colourful()));
    Table table({"SIDE", "VERDICT", "CLASS", "TABLE", "BECAUSE OF"});
    add_side(table, "egress", answer.egress());
    add_side(table, "ingress", answer.ingress());
    table.print(std::cout, is_colourful());
    print_way("egress", answer.egress());
    print_way("ingress", answer.ingress());
}

void run_explain(const ExplainArguments& arguments, Options& options) {
    const auto destination = parse_destination(arguments.destination);
    v1::ExplainRequest request;
    request.set_source(without_brackets(arguments.source));
    request.set_destination(destination->end);
    request.set_port(destination->port);
    request.set_protocol(destination->protocol);
    request.set_family(arguments.family);
    const auto answer = ControlClient(options.run_dir).explain(request);
    show(answer, options, print_explanation);
    if (!answer) return;
    if (answer->verdict() == "deny") options.exit_status = kNegative;
    if (answer->consistent()) return;
    print_error(
        "what the kernel holds is not what the policies say: this is a fault of the agent's; "
        "restart it, and report this answer");
    options.exit_status = kCannot;
}

} // namespace

void add_explain(CLI::App& app, Options& options) {
    CLI::App* command =
        app.add_subcommand("explain", "Would a connection be allowed, and because of which rule");
    auto arguments = std::make_shared<ExplainArguments>();
    command->add_option("source", arguments->source, "NAMESPACE/POD, node/NAME or an address")
        ->required();
    command
        ->add_option("destination", arguments->destination,
                     "END:PORT[/PROTOCOL] with an END like the source's; END:ICMP without port")
        ->required()
        ->check(check_destination);
    command->add_option("--family", arguments->family, "When the ends have both")
        ->check(CLI::IsMember({"IPv4", "IPv6"}));
    command->footer(
        "Shows every rule that was considered at each end that this node judges, the one that "
        "decides,\n"
        "and the row in the kernel. Exit status 1 when the answer is deny, 2 when the kernel "
        "holds\n"
        "something else than the policies say.\n\n"
        "Examples:\n  weir explain shop/web shop/db:5432\n"
        "  weir explain shop/web kube-system/dns:53/UDP\n"
        "  weir explain 10.0.0.7 shop/web:8080\n"
        "  weir explain shop/web [fd00::17]:443");
    command->callback([arguments, &options] { run_explain(*arguments, options); });
}

} // namespace weir::cli
