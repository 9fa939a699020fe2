// SPDX-License-Identifier: Apache-2.0
// `weir probe`: asks one agent whether it lives or is ready, for a container's probes. Not over the
// network: while one agent takes over from another, both are on the node and only one has the
// address.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <iostream>
#include <memory>

#include "agent/cli/command.h"
#include "agent/cli/output.h"
#include "loader/result.h"

namespace weir::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Local = asio::local::stream_protocol;

constexpr std::chrono::seconds kPatience{10}; // the prober's own time-out is shorter

struct ProbeArguments {
    std::string question;
    std::string socket;
};

using Response = http::response<http::string_body>;

Result<Response> ask(const ProbeArguments& arguments) {
    asio::io_context context;
    beast::basic_stream<Local> stream(context);
    http::request<http::empty_body> request(http::verb::get, "/" + arguments.question, 11);
    request.set(http::field::host, "weir");
    request.set(http::field::connection, "close");
    beast::flat_buffer buffer;
    Response response;
    beast::error_code outcome = beast::error::timeout;
    stream.expires_after(kPatience);
    // Asynchronous because only then the time-out counts.
    stream.async_connect(Local::endpoint(arguments.socket), [&](beast::error_code unconnected) {
        outcome = unconnected;
        if (outcome) return;
        http::async_write(stream, request, [&](beast::error_code unsent, std::size_t) {
            outcome = unsent;
            if (outcome) return;
            http::async_read(stream, buffer, response,
                             [&](beast::error_code unread, std::size_t) { outcome = unread; });
        });
    });
    context.run();
    if (!outcome) return response;
    return failure(
        fmt::format("the agent does not answer at {}: {}", arguments.socket, outcome.message()));
}

void run_probe(const ProbeArguments& arguments, Options& options) {
    if (arguments.socket.empty()) {
        print_error(
            "no socket: give the agent and this command the same --admin-socket, or set "
            "WEIR_ADMIN_SOCKET for both");
        options.exit_status = kCannot;
        return;
    }
    const auto response = ask(arguments);
    if (!response) {
        print_error(response.error().what);
        options.exit_status = kNegative;
        return;
    }
    std::cout << response->body();
    if (response->result() != http::status::ok) options.exit_status = kNegative;
}

} // namespace

void add_probe(CLI::App& app, Options& options) {
    CLI::App* command =
        app.add_subcommand("probe", "Ask an agent whether it lives or is ready (container probes)");
    auto arguments = std::make_shared<ProbeArguments>();
    command->add_option("QUESTION", arguments->question, "livez or readyz")
        ->required()
        ->check(CLI::IsMember({"livez", "readyz"}));
    command->add_option("--admin-socket", arguments->socket, "That the agent was started with")
        ->envname("WEIR_ADMIN_SOCKET")
        ->type_name("PATH");
    command->footer(
        "Exit status: 0 yes, 1 no or no answer.\n\nExample:\n  weir probe readyz --admin-socket "
        "/tmp/admin.sock");
    command->callback([arguments, &options] { run_probe(*arguments, options); });
}

} // namespace weir::cli
