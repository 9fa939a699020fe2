// SPDX-License-Identifier: Apache-2.0
// `weir status`: what is enforced here, since when, and what is wrong.
#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "agent/cli/call.h"

namespace weir::cli {
namespace {

Cell ready_cell(const v1::StatusResponse& status) {
    if (!status.ready()) return {"not enforcing: " + status.not_ready_reason(), Colour::kBad};
    return {fmt::format("enforcing revision {} for {}", status.revision(),
                        age_text(status.revision_time())),
            Colour::kGood};
}

Cell source_cell(const v1::StatusResponse& status) {
    if (!status.has_source_away_since()) return {status.source()};
    return {fmt::format("{}, away for {}: its last state stays in force", status.source(),
                        age_text(status.source_away_since())),
            Colour::kBad};
}

// Maps fuller than this are worth a word.
constexpr double kNearlyFull = 0.8;

double fill_of(const v1::MapFill& map) {
    return map.max_entries() == 0 ? 0 : static_cast<double>(map.entries()) / map.max_entries();
}

// Kinds of which there is none are left out.
std::string objects_text(const v1::StatusResponse& status) {
    std::vector<std::string> parts;
    for (const auto& kind : status.objects()) {
        if (kind.count() != 0) parts.push_back(fmt::format("{} {}", kind.count(), kind.kind()));
    }
    return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, ", "));
}

std::string maps_text(const v1::StatusResponse& status) {
    std::vector<std::string> parts;
    for (const auto& map : status.maps()) {
        parts.push_back(fmt::format("{} {}/{} ({:.0f} %)", map.map(), map.entries(),
                                    map.max_entries(), fill_of(map) * 100));
    }
    return fmt::format("{}", fmt::join(parts, ", "));
}

std::string map_memory_text(const v1::MapMemory& memory) {
    const auto mebibytes = [](std::uint64_t bytes) {
        return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
    };
    return fmt::format("{} in use, {} when all are full; budget {}", mebibytes(memory.used()),
                       mebibytes(memory.most()), mebibytes(memory.budget()));
}

std::string services_text(const v1::ServicesStatus& services) {
    if (!services.in_force()) return "not in force yet";
    return fmt::format("{} frontends, {} backends, revision {} for {}, compiled in {:.1f} ms",
                       services.frontends(), services.backends(), services.revision(),
                       age_text(services.revision_time()), services.compile_seconds() * 1000);
}

std::string balanced_text(const v1::ServicesStatus& services) {
    return services.cgroup() == "none"
               ? "what pods send, packet by packet; no connections of processes (--cgroup none)"
               : "connections of the processes of " + services.cgroup() +
                     ", and packets that pods send";
}

std::string uplinks_text(const v1::ServicesStatus& services) {
    std::string text;
    for (const auto& uplink : services.uplinks()) {
        if (!text.empty()) text += ", ";
        text += uplink.name();
        if (uplink.program() == "xdp") {
            text += " (XDP)";
        } else if (uplink.program() == "tc") {
            text += " (tc: " + uplink.why_not_xdp() + ")";
        } else {
            text += " (none: " + uplink.error() + ")";
        }
    }
    if (text.empty()) return "none";
    return text + "; source ports " + services.snat_ports();
}

void print_facts(const v1::StatusResponse& status) {
    Table table({});
    table.add({"policy", ready_cell(status)});
    table.add({"node", status.node()});
    table.add({"agent", fmt::format("weir {}, pid {}, up {}", status.version(), status.pid(),
                                    age_text(status.started()))});
    table.add({"source", source_cell(status)});
    table.add({"objects", objects_text(status)});
    const std::string mended =
        status.hooks_mended() == 0
            ? ""
            : fmt::format("; {} times somebody took them off", status.hooks_mended());
    table.add(
        {"endpoints", fmt::format("{} endpoints, {} hooks attached ({}){}", status.endpoints(),
                                  status.hooks_attached(), status.hooks(), mended)});
    table.add({"compiled in", fmt::format("{:.1f} ms", status.compile_seconds() * 1000)});
    if (status.has_services()) {
        table.add({"services", services_text(status.services())});
        table.add({"balanced", balanced_text(status.services())});
        table.add({"uplinks", uplinks_text(status.services())});
    }
    table.add({"maps", maps_text(status)});
    table.add({"map memory", map_memory_text(status.map_memory())});
    table.add({"metrics", status.http_address().empty() ? "off" : status.http_address()});
    table.print(std::cout, is_colourful());
}

Cell counter_cell(const std::string& reason) {
    if (reason == "allowed") return {reason, Colour::kGood};
    if (reason == "audited") return {"audited: allowed, but would be denied", Colour::kWarning};
    return {"dropped: " + reason, Colour::kBad};
}

void print_counters(const v1::StatusResponse& status) {
    Table table({"DIRECTION", "PACKETS", "BYTES", "WHAT"});
    for (const auto& counter : status.counters()) {
        if (counter.packets() == 0) continue;
        table.add({counter.direction(), std::to_string(counter.packets()),
                   std::to_string(counter.bytes()), counter_cell(counter.reason())});
    }
    if (table.is_empty()) return;
    std::cout << '\n';
    table.print(std::cout, is_colourful());
}

Cell problem_cell(const v1::Problem& problem) {
    const std::string place = place_text(problem.file(), problem.line());
    std::string text = place.empty() ? problem.message() : place + ": " + problem.message();
    if (problem.kept_last_valid()) text += " (its last valid version stays in force)";
    return {text, problem.severity() == "error" ? Colour::kBad : Colour::kWarning};
}

std::string misfit_text(const v1::DoesNotFit& misfit, std::uint32_t revision) {
    const std::string culprit =
        misfit.culprit().empty() ? "" : fmt::format(" because of {}", misfit.culprit());
    return fmt::format(
        "the newest state does not fit{}: {} needs {} entries and has {}; revision {} stays in "
        "force until objects are removed or the agent is started with more --map-memory",
        culprit, misfit.map(), misfit.needed(), misfit.limit(), revision);
}

std::vector<Cell> wrongs(const v1::StatusResponse& status) {
    std::vector<Cell> lines;
    if (status.has_does_not_fit()) {
        const auto& misfit = status.does_not_fit();
        lines.emplace_back(misfit_text(misfit, status.revision()), Colour::kBad);
    }
    for (const auto& map : status.maps()) {
        if (fill_of(map) <= kNearlyFull) continue;
        lines.emplace_back(
            fmt::format("map {} is {:.0f} % full: when it is, {}", map.map(), fill_of(map) * 100,
                        map.is_of_services() ? "Services that need more are left out; remove some"
                                             : "changes are refused; raise --map-memory"),
            Colour::kWarning);
    }
    for (const auto& pod : status.unknown_pods()) {
        lines.emplace_back("endpoint " + pod +
                               ": no such Pod object; all its traffic but its "
                               "node's is refused until one arrives",
                           Colour::kWarning);
    }
    if (status.has_source_away_since()) {
        lines.emplace_back(
            fmt::format("the source of desired state cannot be read since {}: {}",
                        google::protobuf::util::TimeUtil::ToString(status.source_away_since()),
                        status.source_away_reason()),
            Colour::kBad);
    }
    for (const auto& problem : status.problems())
        lines.push_back(problem_cell(problem));
    if (status.events_lost() > 0) {
        lines.emplace_back(
            fmt::format("{} flow events were lost (counters stay exact)", status.events_lost()),
            Colour::kWarning);
    }
    return lines;
}

void print_status(const v1::StatusResponse& status) {
    print_facts(status);
    print_counters(status);
    const auto lines = wrongs(status);
    if (lines.empty()) return;
    std::cout << '\n';
    for (const auto& line : lines)
        std::cout << "! " << tinted(line, is_colourful()) << '\n';
}

} // namespace

void add_status(CLI::App& app, Options& options) {
    CLI::App* command =
        app.add_subcommand("status", "What is enforced on this node, and what is wrong");
    command->footer(
        "Exit status 1 while no policy is in force.\n\n"
        "Examples:\n  weir status\n  weir status -o json | jq .problems");
    command->callback([&options] {
        const auto status = ControlClient(options.run_dir).status();
        show(status, options, print_status);
        if (status && !status->ready()) options.exit_status = kNegative;
    });
}

} // namespace weir::cli
