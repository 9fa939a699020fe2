// SPDX-License-Identifier: Apache-2.0
// The answer to Status.
#include <fmt/format.h>
#include <unistd.h>

#include <set>

#include "agent/cni/installer.h"
#include "agent/config.h"
#include "agent/control/answers.h"
#include "agent/control/messages.h"
#include "agent/control/readiness.h"
#include "agent/enforcer.h"
#include "agent/inventory.h"
#include "agent/kube/source.h"
#include "agent/map_report.h"
#include "agent/service/service_problems.h"
#include "agent/service/services.h"

namespace weir {
namespace {

void add_objects(v1::StatusResponse& status, const ControlContext& context) {
    for (const auto kind : kKinds) {
        if (is_service_kind(kind) && context.services == nullptr) continue;
        auto* count = status.add_objects();
        count->set_kind(to_string(kind));
        count->set_count(is_service_kind(kind)
                             ? context.services->compiler().index().count(kind)
                             : context.inventory.counts()[static_cast<std::size_t>(kind)]);
    }
}

void add_maps(v1::StatusResponse& status, const std::vector<MapFillFigure>& figures,
              bool is_of_services) {
    for (const auto& figure : figures) {
        auto* fill = status.add_maps();
        fill->set_map(figure.map);
        fill->set_entries(figure.entries);
        fill->set_max_entries(figure.max_entries);
        fill->set_is_of_services(is_of_services);
    }
}

void add_map_memory(v1::StatusResponse& status, const Enforcer& enforcer, const Config& config) {
    const MapMemory memory = map_memory_of(enforcer.dataplane());
    auto* message = status.mutable_map_memory();
    message->set_budget(config.map_memory);
    message->set_most(memory.most);
    message->set_used(memory.used);
}

void add_counters(v1::StatusResponse& status, const std::vector<weir_counter>& counters) {
    const auto add = [&status](std::uint8_t direction, const char* reason,
                               const weir_counter& counter) {
        auto* message = status.add_counters();
        message->set_direction(direction_word(direction));
        message->set_reason(reason);
        message->set_packets(counter.packets);
        message->set_bytes(counter.bytes);
    };
    for (std::uint8_t direction = 0; direction < WEIR_DIRECTIONS; ++direction) {
        for (std::uint8_t reason = 0; reason < WEIR_DROP_REASON_COUNT; ++reason) {
            add(direction, reason == WEIR_DROP_NONE ? "allowed" : drop_word(reason),
                counters[direction * std::size_t{WEIR_DROP_REASON_COUNT} + reason]);
        }
        add(direction, "audited", counters[WEIR_COUNTER_AUDITED + std::size_t{direction}]);
    }
    status.set_events_lost(counters[WEIR_COUNTER_EVENTS_LOST].packets);
}

void add_problem(v1::StatusResponse& status, const Problem& problem, bool is_kept) {
    auto* message = status.add_problems();
    message->set_severity(to_string(problem.severity));
    message->set_message(sentence_of(problem));
    message->set_file(problem.file);
    message->set_line(problem.line);
    message->set_object(problem.object);
    message->set_kept_last_valid(is_kept);
}

void add_kept(v1::StatusResponse& status, const KeptObject& kept) {
    auto* message = status.add_problems();
    message->set_severity("error");
    message->set_object(to_string(kept.key));
    message->set_message(fmt::format("{}: {}", to_string(kept.key), kept.why));
    message->set_file(kept.origin.file.get());
    message->set_line(kept.origin.line);
    message->set_kept_last_valid(true);
}

void add_sentence(v1::StatusResponse& status, Severity severity, const std::string& file,
                  const std::string& text) {
    auto* message = status.add_problems();
    message->set_severity(to_string(severity));
    message->set_file(file);
    message->set_message(text);
}

void add_wrongs(v1::StatusResponse& status, const ControlContext& context,
                const SourceStatus& source) {
    // Once an object: its problem says where and why, and that its last valid version is kept.
    std::set<std::string> kept;
    for (const auto& object : source.kept)
        kept.insert(to_string(object.key));
    std::set<std::string> told;
    for (const auto& problem : source.problems) {
        const bool is_kept = problem.severity == Severity::kError && kept.contains(problem.object);
        if (is_kept) told.insert(problem.object);
        add_problem(status, problem, is_kept);
    }
    for (const auto& object : source.kept)
        if (!told.contains(to_string(object.key))) add_kept(status, object);
    const RevisionStatus& revision = context.enforcer.revision();
    if (!context.installer.problem().empty()) {
        add_sentence(status, Severity::kError, "", context.installer.problem());
    }
    if (!revision.write_error.empty()) {
        add_sentence(status, Severity::kError, "",
                     "the newest revision cannot be written: " + revision.write_error +
                         "; the old one stays in force and the agent tries again");
    }
    if (const auto notice = kept_maps_notice(context.enforcer.dataplane()); !notice.empty())
        add_sentence(status, Severity::kWarning, "", notice);
    if (!revision.does_not_fit) return;
    auto* misfit = status.mutable_does_not_fit();
    misfit->set_map(revision.does_not_fit->map);
    misfit->set_needed(revision.does_not_fit->needed);
    misfit->set_limit(revision.does_not_fit->limit);
    misfit->set_culprit(revision.does_not_fit->policy);
}

void add_uplinks(v1::StatusResponse& status, const Uplinks& uplinks) {
    const SourcePorts& ports = uplinks.source_ports();
    auto* services = status.mutable_services();
    services->set_snat_ports(fmt::format("{}-{}", ports.first, ports.last));
    for (const auto& uplink : uplinks.all()) {
        auto* message = services->add_uplinks();
        message->set_name(uplink.name);
        message->set_why_not_xdp(uplink.state.why_not_xdp);
        message->set_error(uplink.error);
        if (uplink.error.empty()) {
            message->set_program(uplink.state.is_xdp ? "xdp" : "tc");
        } else {
            add_sentence(status, Severity::kWarning, "",
                         "uplink " + uplink.name + ": " + uplink.error +
                             "; NodePorts and external addresses are not balanced there");
        }
    }
}

void add_services(v1::StatusResponse& status, const Services& services) {
    const ServiceRevision& revision = services.revision();
    const ServiceUsage usage = services.compiler().usage();
    auto* message = status.mutable_services();
    message->set_in_force(revision.is_in_force);
    message->set_revision(revision.revision);
    *message->mutable_revision_time() = timestamp_of(revision.since);
    message->set_compile_seconds(revision.compile_seconds);
    message->set_cgroup(services.cgroup());
    message->set_frontends(usage.services);
    message->set_slots(usage.slots);
    message->set_backends(usage.backends);
    if (services.uplinks() != nullptr) add_uplinks(status, *services.uplinks());
    if (!revision.write_error.empty()) {
        add_sentence(
            status, Severity::kError, "",
            "services cannot be written: " + revision.write_error + "; the agent tries again");
    }
    if (!revision.ejection_error.empty()) {
        add_sentence(
            status, Severity::kWarning, "",
            "no outlier is ejected: " + revision.ejection_error + "; the agent tries again");
    }
    for (const auto& problem : service_problems(services.compiler())) {
        add_sentence(status, Severity::kWarning, "", problem.text);
    }
}

void add_hooks(v1::StatusResponse& status, const ControlContext& context) {
    status.set_hooks_mended(context.enforcer.hooks_mended());
    const auto attached = context.enforcer.dataplane().attached();
    if (!attached) return;
    status.set_hooks_attached(static_cast<std::uint32_t>(attached->size() * WEIR_DIRECTIONS));
    if (attached->empty()) return;
    status.set_hooks(attached->front().kind == HookKind::kTcx ? "tcx" : "clsact");
}

} // namespace

v1::StatusResponse status_of(const ControlContext& context) {
    v1::StatusResponse status;
    const Config& config = context.config;
    const RevisionStatus& revision = context.enforcer.revision();
    status.set_version(WEIR_VERSION);
    status.set_node(config.node_name);
    status.set_pid(static_cast<std::uint32_t>(::getpid()));
    *status.mutable_started() = timestamp_of(context.started);
    const SourceStatus source = context.source.status();
    status.set_source(source.name);
    if (source.away) {
        *status.mutable_source_away_since() = timestamp_of(source.away->since);
        status.set_source_away_reason(source.away->why);
    }
    status.set_bpffs(config.bpffs);
    status.set_run_dir(config.run_dir);
    if (config.http_address != "none") status.set_http_address(config.http_address);
    status.set_cni_conf_dir(config.cni_conf_dir);
    add_hooks(status, context);

    status.set_ready(is_ready(context));
    if (!status.ready()) status.set_not_ready_reason(readiness_text(context));
    status.set_revision(revision.revision);
    *status.mutable_revision_time() = timestamp_of(revision.since);
    status.set_compile_seconds(revision.compile_seconds);

    const auto& endpoints = context.enforcer.endpoints().all();
    status.set_endpoints(static_cast<std::uint32_t>(endpoints.size()));
    for (const auto& [slot, endpoint] : endpoints) {
        const ObjectName name{Symbol(endpoint.ns), Symbol(endpoint.name)};
        if (context.inventory.pod(name) == nullptr) status.add_unknown_pods(endpoint.pod());
    }
    add_objects(status, context);
    add_maps(status, map_fills(context.enforcer.dataplane(), context.enforcer.compiler().usage()),
             false);
    if (context.services != nullptr) {
        const auto& services = *context.services;
        add_services(status, services);
        add_maps(status, service_map_fills(services.dataplane(), services.compiler().usage()),
                 true);
    }
    add_map_memory(status, context.enforcer, config);
    if (const auto counters = context.enforcer.dataplane().counters()) {
        add_counters(status, *counters);
    }
    add_wrongs(status, context, source);
    return status;
}

} // namespace weir
