// SPDX-License-Identifier: Apache-2.0
// `weir flows`: recent connections and refusals, and with -f the ones to come.
#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <ctime>
#include <iostream>
#include <memory>
#include <optional>

#include "agent/cli/call.h"

namespace weir::cli {
namespace {

struct FlowsArguments {
    bool follow = false;
    std::uint32_t last = 0;
    std::vector<std::string> pods;
    std::string ns;
    std::string verdict;
    std::uint16_t port = 0;
    std::string protocol;
    std::string since;
};

// "90s", "5m", "2h", "1d" before now, or an RFC 3339 time.
std::optional<google::protobuf::Timestamp> parse_since(const std::string& text) {
    google::protobuf::Timestamp time;
    if (google::protobuf::util::TimeUtil::FromString(text, &time)) return time;
    std::int64_t amount = 0;
    const char* const end = text.data() + text.size();
    const auto [unit, error] = std::from_chars(text.data(), end, amount);
    if (error != std::errc() || unit + 1 != end || amount < 0) return {};
    std::int64_t seconds = 0;
    switch (*unit) {
        case 's':
            seconds = 1;
            break;
        case 'm':
            seconds = 60;
            break;
        case 'h':
            seconds = 3600;
            break;
        case 'd':
            seconds = 86400;
            break;
        default:
            return {};
    }
    if (amount > std::time(nullptr) / seconds) return {};
    time.set_seconds(std::time(nullptr) - amount * seconds);
    return time;
}

std::string check_since(const std::string& text) {
    if (parse_since(text)) return "";
    return "'" + text + "' is neither an age such as 90s, 5m, 2h or 1d nor an RFC 3339 time";
}

// The rule that a reader wants to see first: the denying side's, else what admitted it, ingress
// first, because that is where policies mostly are.
std::string why(const v1::Flow& flow) {
    const auto is_deny = [](const v1::FlowSide& side) { return side.verdict() == "deny"; };
    const auto is_judged = [](const v1::FlowSide& side) { return !side.verdict().empty(); };
    const auto text = [](const char* direction, const v1::FlowSide& side) {
        return fmt::format("{}: {}", direction, rule_text(side.rule()));
    };
    const bool names_rule = flow.drop_reason().empty() || flow.drop_reason() == "policy_deny";
    if (!names_rule) return fmt::format("{}: {}", flow.direction(), flow.drop_reason());
    if (is_deny(flow.egress())) return text("egress", flow.egress());
    if (is_deny(flow.ingress())) return text("ingress", flow.ingress());
    const auto is_audited = [](const v1::FlowSide& side) { return side.verdict() == "audit"; };
    if (is_audited(flow.egress())) return "would be denied, " + text("egress", flow.egress());
    if (is_audited(flow.ingress())) return "would be denied, " + text("ingress", flow.ingress());
    if (is_judged(flow.egress()) && is_judged(flow.ingress())) {
        return text("egress", flow.egress()) + "; " + text("ingress", flow.ingress());
    }
    if (is_judged(flow.ingress())) return text("ingress", flow.ingress());
    return is_judged(flow.egress()) ? text("egress", flow.egress()) : std::string();
}

Cell event_cell(const v1::Flow& flow) {
    if (flow.verdict() == "audit") return {fmt::format("{:<7}", "audited"), Colour::kWarning};
    return {fmt::format("{:<7}", flow.event()),
            flow.verdict() == "deny" ? Colour::kBad : Colour::kGood};
}

void print_flow(const v1::Flow& flow, bool with_colour) {
    const bool is_denied = flow.verdict() == "deny";
    std::string line = fmt::format("{}  ", time_text(flow.time()));
    line += tinted(event_cell(flow), with_colour);
    line += fmt::format("  {:<4}  {} -> {}  ", flow.protocol(), end_text(flow.source()),
                        end_text(flow.destination()));
    if (!is_denied && flow.packets() + flow.reply_packets() > 1) {
        line += fmt::format("{}/{} packets {}/{} bytes  ", flow.packets(), flow.reply_packets(),
                            flow.bytes(), flow.reply_bytes());
    }
    if (is_denied && flow.is_reply()) line += "(reply)  ";
    if (flow.stands_for() > 1) line += fmt::format("({} times)  ", flow.stands_for());
    line += tinted(Cell(why(flow), Colour::kFaint), with_colour);
    std::cout << line << '\n';
}

v1::FlowsRequest request_of(const FlowsArguments& arguments) {
    v1::FlowsRequest request;
    request.set_follow(arguments.follow);
    request.set_last(arguments.last);
    auto* filter = request.mutable_filter();
    for (const auto& pod : arguments.pods)
        filter->add_pods(pod);
    filter->set_namespace_(arguments.ns);
    filter->set_verdict(arguments.verdict);
    filter->set_port(arguments.port);
    filter->set_protocol(arguments.protocol);
    if (const auto since = parse_since(arguments.since)) *filter->mutable_since() = *since;
    return request;
}

void run_flows(const FlowsArguments& arguments, Options& options) {
    const bool with_colour = is_colourful();
    const auto take = [&](const v1::FlowsResponse& response) {
        if (options.is_json()) {
            response.has_flow() ? print_json(response.flow()) : print_json(response);
        } else if (response.has_flow()) {
            print_flow(response.flow(), with_colour);
        } else {
            print_error(
                fmt::format("{} flows were missed: this reader is too slow", response.lost()));
        }
        if (arguments.follow) std::cout << std::flush;
    };
    const auto done = ControlClient(options.run_dir).flows(request_of(arguments), take);
    if (done) return;
    print_error(done.error().message);
    options.exit_status = done.error().exit_status;
}

} // namespace

void add_flows(CLI::App& app, Options& options) {
    CLI::App* command = app.add_subcommand("flows", "Recent connections and refusals");
    auto arguments = std::make_shared<FlowsArguments>();
    command->add_flag("-f,--follow", arguments->follow, "Go on with the flows to come");
    command->add_option("--last", arguments->last, "Only the last N that match")->type_name("N");
    command->add_option("--pod", arguments->pods,
                        "NAMESPACE/NAME or NAME at either end; repeatable");
    command->add_option("-n,--namespace", arguments->ns, "Namespace of either end");
    command->add_option("--verdict", arguments->verdict, "Only these")
        ->check(CLI::IsMember({"allow", "deny", "audit"}));
    command->add_option("--port", arguments->port, "Port of the destination");
    command->add_option("--protocol", arguments->protocol,
                        "TCP, UDP, SCTP, ICMP, ICMPv6 or a number");
    command->add_option("--since", arguments->since, "An age (90s, 5m, 2h, 1d) or an RFC 3339 time")
        ->check(check_since);
    command->footer(
        "Examples:\n  weir flows --verdict deny --since 10m\n"
        "  weir flows --verdict audit -n shop\n"
        "  weir flows -f --pod shop/web\n"
        "  weir flows --last 100 -o json | jq -r .destination.pod");
    command->callback([arguments, &options] { run_flows(*arguments, options); });
}

} // namespace weir::cli
