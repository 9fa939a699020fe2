// SPDX-License-Identifier: Apache-2.0
// `weir services` and `weir services trace`: load balancing on this node.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include "agent/cli/call.h"
#include "agent/cli/ends.h"

namespace weir::cli {
namespace {

struct ServicesArguments {
    std::string name;
    std::string destination;
    bool outside = false;
};

std::string host_text(const std::string& address) {
    return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

std::string service_text(const v1::ServicePort& port) {
    return port.namespace_() + "/" + port.name();
}

std::string port_text(const v1::ServicePort& port) {
    const std::string name = port.port_name().empty() ? "" : " " + port.port_name();
    return fmt::format("{}/{}{}", port.port(), port.protocol(), name);
}

// Each address and port once, though it has two scopes.
std::string frontends_text(const v1::ServicePort& port) {
    std::string text;
    std::string last;
    for (const auto& frontend : port.frontends()) {
        const std::string one =
            fmt::format("{}:{}", host_text(frontend.address()), frontend.port());
        if (one == last) continue;
        last = one;
        text += (text.empty() ? "" : " ") + one;
    }
    return text;
}

Cell backends_cell(const v1::ServicePort& port) {
    const auto usable = std::ranges::count_if(
        port.backends(), [](const v1::ServiceBackend& backend) { return backend.out().empty(); });
    const std::string text = fmt::format("{} of {}", usable, port.backends_size());
    if (usable == 0) return {text, Colour::kBad};
    return {text, usable == port.backends_size() ? Colour::kGood : Colour::kWarning};
}

std::uint64_t live_of(const v1::ServicePort& port) {
    std::uint64_t live = 0;
    for (const auto& backend : port.backends())
        live += backend.live();
    return live;
}

void add_backend(Table& table, const v1::ServiceBackend& backend) {
    const Colour colour = backend.out().empty() ? Colour::kGood : Colour::kWarning;
    const std::string limit =
        backend.max_connections() == 0 ? "" : fmt::format(" of {}", backend.max_connections());
    table.add({fmt::format("  {}:{}", host_text(backend.address()), backend.port()),
               backend.pod().empty() ? "-" : backend.pod(),
               Cell(backend.out().empty() ? "takes connections" : backend.out(), colour),
               fmt::format("{:.1f} %", backend.share()), fmt::format("{}{}", backend.live(), limit),
               std::to_string(backend.opened()), std::to_string(backend.failed())});
}

Table backend_table() {
    return Table({"  BACKEND", "POD", "STATE", "SHARE", "LIVE", "OPENED", "FAILED"});
}

Cell slots_cell(const v1::ServiceFrontend& frontend) {
    if (!frontend.owner().empty()) return {"taken by " + frontend.owner(), Colour::kBad};
    if (frontend.drops()) return {"drops", Colour::kBad};
    if (frontend.slots() == 0) return {"refuses", Colour::kBad};
    if (frontend.refused() == 0) return Cell(std::to_string(frontend.slots()));
    return {fmt::format("{}, {:.1f} % refuse", frontend.slots(), frontend.refused()),
            Colour::kWarning};
}

void print_details(const v1::ServicePort& port) {
    std::cout << fmt::format("Service {} {}\n", service_text(port), port_text(port));
    if (!port.route().empty()) std::cout << "  split by " << port.route() << '\n';
    if (port.affinity_seconds() != 0) {
        std::cout << fmt::format("  a client stays with its backend for {} s\n",
                                 port.affinity_seconds());
    }
    if (!port.balance().empty()) std::cout << "  balance: " << port.balance() << '\n';
    for (const auto& problem : port.problems())
        std::cout << "  ! " << problem << '\n';
    Table frontends({"  FRONTEND", "KIND", "FROM", "SLOTS", "MAGLEV"});
    for (const auto& frontend : port.frontends()) {
        frontends.add({fmt::format("  {}:{}", host_text(frontend.address()), frontend.port()),
                       frontend.kind(), frontend.scope(), slots_cell(frontend),
                       frontend.maglev() == 0 ? "-" : std::to_string(frontend.maglev())});
    }
    if (!frontends.is_empty()) frontends.print(std::cout, is_colourful());
    Table backends = backend_table();
    for (const auto& backend : port.backends())
        add_backend(backends, backend);
    if (!backends.is_empty()) backends.print(std::cout, is_colourful());
    std::cout << '\n';
}

void print_list(const v1::ListServicesResponse& answer) {
    Table table({"SERVICE", "PORT", "FRONTENDS", "BACKENDS", "LIVE", "NOTE"});
    for (const auto& port : answer.ports()) {
        const Cell note = !port.problems().empty()
                              ? Cell("see weir services " + service_text(port), Colour::kWarning)
                          : port.route().empty() ? Cell("")
                                                 : Cell("split by " + port.route());
        table.add({service_text(port), port_text(port), frontends_text(port), backends_cell(port),
                   std::to_string(live_of(port)), note});
    }
    if (table.is_empty()) {
        std::cout << "no services with an address of their own\n";
        return;
    }
    table.print(std::cout, is_colourful());
}

void run_list(const ServicesArguments& arguments, Options& options) {
    v1::ListServicesRequest request;
    const auto slash = arguments.name.find('/');
    if (slash != std::string::npos) request.set_namespace_(arguments.name.substr(0, slash));
    request.set_name(slash == std::string::npos ? arguments.name
                                                : arguments.name.substr(slash + 1));
    show(ControlClient(options.run_dir).list_services(request), options,
         [&](const v1::ListServicesResponse& answer) {
             if (request.name().empty()) return print_list(answer);
             for (const auto& port : answer.ports())
                 print_details(port);
         });
}

void print_trace(const v1::TraceServiceResponse& answer) {
    if (answer.port().port() != 0) {
        std::cout << fmt::format("frontend  {} of Service {} {}, from {}\n",
                                 answer.frontend().kind(), service_text(answer.port()),
                                 port_text(answer.port()), answer.frontend().scope());
    }
    const Colour colour = answer.outcome() == "backend"     ? Colour::kGood
                          : answer.outcome() == "untouched" ? Colour::kFaint
                                                            : Colour::kBad;
    std::cout << "outcome   " << tinted({answer.outcome(), colour}, is_colourful()) << ": "
              << answer.reason() << '\n';
    if (!answer.port().route().empty()) std::cout << "route     " << answer.port().route() << '\n';
    Table backends = backend_table();
    for (const auto& backend : answer.candidates())
        add_backend(backends, backend);
    for (const auto& backend : answer.excluded())
        add_backend(backends, backend);
    if (!backends.is_empty()) backends.print(std::cout, is_colourful());
    if (answer.differs()) {
        std::cout << tinted({"! the kernel's map holds something else: please report it",
                             Colour::kBad},
                            is_colourful())
                  << '\n';
    }
}

void run_trace(const ServicesArguments& arguments, Options& options) {
    const auto destination = parse_destination(arguments.destination);
    v1::TraceServiceRequest request;
    request.set_address(destination->end);
    request.set_port(destination->port);
    request.set_protocol(destination->protocol);
    request.set_outside(arguments.outside);
    const auto answer = ControlClient(options.run_dir).trace_service(request);
    show(answer, options, print_trace);
    if (!answer) return;
    if (answer->outcome() != "backend") options.exit_status = kNegative;
    if (answer->differs()) options.exit_status = kCannot;
}

} // namespace

void add_services(CLI::App& app, Options& options) {
    CLI::App* command = app.add_subcommand("services", "Load balancing of Services on this node");
    auto arguments = std::make_shared<ServicesArguments>();
    command->add_option("name", arguments->name, "[NAMESPACE/]NAME of one, with all about it");
    command->footer(
        "Examples:\n  weir services\n  weir services shop/web\n  weir services -o json\n"
        "  weir services trace 10.96.0.10:53/UDP");
    command->callback([command, arguments, &options] {
        if (command->get_subcommands().empty()) run_list(*arguments, options);
    });

    CLI::App* trace = command->add_subcommand(
        "trace", "Where a connection to an address and port would go, and why");
    trace
        ->add_option("destination", arguments->destination,
                     "ADDRESS:PORT[/PROTOCOL]; IPv6 in brackets")
        ->required()
        ->check([](const std::string& text) {
            return parse_destination(text) ? std::string()
                                           : "'" + text + "' is not ADDRESS:PORT[/PROTOCOL]";
        });
    trace->add_flag("--outside", arguments->outside,
                    "As a packet that comes in at the uplink, not from this node");
    trace->footer(
        "Exit status 0 a backend, 1 none (refused, dropped or no service), 2 an error.\n\n"
        "Examples:\n  weir services trace 10.96.0.1:443\n"
        "  weir services trace '[fd00::a]:53/UDP' --outside");
    trace->callback([arguments, &options] { run_trace(*arguments, options); });
}

} // namespace weir::cli
