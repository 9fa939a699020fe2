// SPDX-License-Identifier: Apache-2.0
// `weir endpoint add|remove|list`: the pods of this node whose traffic Weir judges.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <memory>

#include "agent/cli/call.h"
#include "agent/cli/ends.h"

namespace weir::cli {
namespace {

struct EndpointArguments {
    std::string pod;
    std::string netns;
    std::string interface = "eth0";
};

std::string check_pod(const std::string& text) {
    return parse_pod_name(text) ? "" : "'" + text + "' is not NAMESPACE/NAME";
}

std::string addresses_text(const v1::Endpoint& endpoint) {
    return fmt::format("{}", fmt::join(endpoint.addresses(), " "));
}

void print_endpoint(const v1::Endpoint& endpoint) {
    std::cout << fmt::format("endpoint {}/{}: protected at {} ({})\n", endpoint.namespace_(),
                             endpoint.pod(), endpoint.host_interface(), addresses_text(endpoint));
    if (endpoint.pod_known()) return;
    std::cout << "its Pod object is not known yet: all traffic but its node's is refused until it "
                 "arrives\n";
}

Cell side_cell(const v1::Endpoint& endpoint, const v1::PodSide& side) {
    if (!endpoint.pod_known()) return {"refused", Colour::kBad};
    if (!side.isolated()) return {"open", Colour::kFaint};
    return fmt::format("table {}", side.table());
}

void print_endpoints(const v1::ListEndpointsResponse& answer) {
    Table table({"POD", "ADDRESSES", "INTERFACE", "EGRESS", "INGRESS", "POD OBJECT"});
    for (const auto& endpoint : answer.endpoints()) {
        table.add({endpoint.namespace_() + "/" + endpoint.pod(), addresses_text(endpoint),
                   endpoint.host_interface(), side_cell(endpoint, endpoint.egress()),
                   side_cell(endpoint, endpoint.ingress()),
                   endpoint.pod_known() ? Cell("known") : Cell("unknown", Colour::kWarning)});
    }
    if (table.is_empty()) {
        std::cout << "no endpoints; add one with: weir endpoint add NAMESPACE/NAME --netns PATH\n";
        return;
    }
    table.print(std::cout, is_colourful());
}

void run_add(const EndpointArguments& arguments, Options& options) {
    const auto pod = parse_pod_name(arguments.pod);
    v1::AddEndpointRequest request;
    request.set_namespace_(pod->ns);
    request.set_pod(pod->name);
    request.set_interface(arguments.interface);
    // The agent resolves the path in its own working directory otherwise.
    std::error_code error;
    const auto netns = std::filesystem::absolute(arguments.netns, error);
    request.set_netns(error ? arguments.netns : netns.string());
    show(ControlClient(options.run_dir).add_endpoint(request), options, print_endpoint);
}

void run_remove(const EndpointArguments& arguments, Options& options) {
    const auto pod = parse_pod_name(arguments.pod);
    v1::RemoveEndpointRequest request;
    request.set_namespace_(pod->ns);
    request.set_pod(pod->name);
    show(ControlClient(options.run_dir).remove_endpoint(request), options, [&](const auto&) {
        std::cout << "endpoint " << arguments.pod << ": removed, its traffic is not judged here\n";
    });
}

} // namespace

void add_endpoint(CLI::App& app, Options& options) {
    CLI::App* group = app.add_subcommand("endpoint", "Pods of this node whose traffic Weir judges");
    group->require_subcommand(1);
    auto arguments = std::make_shared<EndpointArguments>();

    CLI::App* add =
        group->add_subcommand("add", "Protect a pod; returns when its policy is in force");
    add->add_option("pod", arguments->pod, "NAMESPACE/NAME of the pod")
        ->required()
        ->check(check_pod);
    add->add_option("--netns", arguments->netns, "Path of the pod's network namespace")
        ->required()
        ->type_name("PATH");
    add->add_option("--interface", arguments->interface, "Interface inside the pod");
    add->footer(
        "Examples:\n  weir endpoint add shop/web --netns /run/netns/web\n"
        "  weir endpoint add shop/db --netns /proc/4711/ns/net --interface net1");
    add->callback([arguments, &options] { run_add(*arguments, options); });

    CLI::App* remove = group->add_subcommand("remove", "Stop judging a pod's traffic");
    remove->add_option("pod", arguments->pod, "NAMESPACE/NAME of the pod")
        ->required()
        ->check(check_pod);
    remove->footer("Example:\n  weir endpoint remove shop/web");
    remove->callback([arguments, &options] { run_remove(*arguments, options); });

    CLI::App* list = group->add_subcommand("list", "The endpoints of this node");
    list->footer("Examples:\n  weir endpoint list\n  weir endpoint list -o json");
    list->callback([&options] {
        show(ControlClient(options.run_dir).list_endpoints(), options, print_endpoints);
    });
}

} // namespace weir::cli
