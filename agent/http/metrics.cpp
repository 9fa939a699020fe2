// SPDX-License-Identifier: Apache-2.0
#include "agent/http/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <vector>

#include "agent/cni/attachments.h"
#include "agent/cni/installer.h"
#include "agent/config.h"
#include "agent/enforcer.h"
#include "agent/flow/flow_record.h"
#include "agent/flow/flow_store.h"
#include "agent/inventory.h"
#include "agent/kube/source.h"
#include "agent/map_report.h"
#include "agent/report/reporter.h"
#include "agent/service/service_problems.h"
#include "agent/service/services.h"

namespace weir {
namespace {

using LabelSet = std::map<std::string, std::string>; // prometheus-cpp's

// Raises a counter to what the kernel counted; the kernel's only count up.
void raise(prometheus::Counter& counter, std::uint64_t total) {
    const double behind = static_cast<double>(total) - counter.Value();
    if (behind > 0) counter.Increment(behind);
}

} // namespace

class Metrics::Registry {
public:
    Registry(const ControlContext& context, const Reporter* reporter)
        : context_(context), reporter_(reporter) {
        gauge("weir_build_info", "Version of the agent; always 1",
              {{"version", WEIR_VERSION}, {"node", context.inventory.node_name().get()}})
            .Set(1);
        read_counters(); // every series exists from the start, at 0
    }

    void observe_compile(double seconds) { compile_seconds_.Observe(seconds); }

    std::string text() {
        read_counters();
        read_maps();
        read_state();
        return prometheus::TextSerializer().Serialize(registry_.Collect());
    }

private:
    prometheus::Counter& counter(const std::string& name, const std::string& help,
                                 const LabelSet& labels) {
        return prometheus::BuildCounter().Name(name).Help(help).Register(registry_).Add(labels);
    }

    prometheus::Gauge& gauge(const std::string& name, const std::string& help,
                             const LabelSet& labels = {}) {
        return prometheus::BuildGauge().Name(name).Help(help).Register(registry_).Add(labels);
    }

    void read_counters() {
        const auto read = context_.enforcer.dataplane().counters();
        if (!read) return; // the series stay as they were
        for (std::uint8_t direction = 0; direction < WEIR_DIRECTIONS; ++direction) {
            read_direction(*read, direction);
        }
        raise(counter("weir_events_lost_total", "Flow events that found the ring buffer full", {}),
              (*read)[WEIR_COUNTER_EVENTS_LOST].packets);
    }

    void read_direction(const std::vector<weir_counter>& counters, std::uint8_t direction) {
        const std::size_t base = direction * std::size_t{WEIR_DROP_REASON_COUNT};
        weir_counter dropped{};
        for (std::uint8_t reason = 1; reason < WEIR_DROP_REASON_COUNT; ++reason) {
            dropped.packets += counters[base + reason].packets;
            dropped.bytes += counters[base + reason].bytes;
            raise(
                counter("weir_drops_packets_total", "Packets dropped, by reason",
                        {{"direction", direction_word(direction)}, {"reason", drop_word(reason)}}),
                counters[base + reason].packets);
        }
        read_verdict(direction, "allow", counters[base + WEIR_DROP_NONE]);
        read_verdict(direction, "deny", dropped);
        raise(counter("weir_audited_packets_total",
                      "Packets let by although audited policies deny them, or dry runs would",
                      {{"direction", direction_word(direction)}}),
              counters[WEIR_COUNTER_AUDITED + std::size_t{direction}].packets);
    }

    void read_verdict(std::uint8_t direction, const char* verdict, const weir_counter& total) {
        const LabelSet labels{{"direction", direction_word(direction)}, {"verdict", verdict}};
        raise(counter("weir_packets_total", "Packets of endpoints, as on the wire", labels),
              total.packets);
        raise(counter("weir_bytes_total", "Bytes of endpoints, as on the wire", labels),
              total.bytes);
    }

    void read_maps() {
        const Dataplane& dataplane = context_.enforcer.dataplane();
        for (const auto& fill : map_fills(dataplane, context_.enforcer.compiler().usage()))
            read_map(fill);
        gauge("weir_map_budget_bytes", "Memory that --map-memory allows all maps")
            .Set(static_cast<double>(context_.config.map_memory));
        gauge("weir_map_most_bytes",
              "Memory of all maps when they are full; above the budget: see `weir status`")
            .Set(static_cast<double>(map_memory_of(dataplane).most));
        read_memory(dataplane.map_infos());
    }

    void read_memory(const std::vector<MapInfo>& infos) {
        for (const MapInfo& info : infos) {
            gauge("weir_map_memory_bytes", "Kernel memory of the map", {{"map", info.name}})
                .Set(static_cast<double>(info.memory));
        }
    }

    void read_map(const MapFillFigure& fill) {
        const LabelSet labels{{"map", fill.map}};
        gauge("weir_map_entries", "Entries in use", labels).Set(fill.entries);
        gauge("weir_map_max_entries", "Entries that fit; those of policy grow with --map-memory",
              labels)
            .Set(fill.max_entries);
        gauge("weir_map_fill_ratio", "Entries in use of those that fit, 0 to 1", labels)
            .Set(fill.max_entries == 0 ? 0 : static_cast<double>(fill.entries) / fill.max_entries);
    }

    void read_state() {
        const RevisionStatus& revision = context_.enforcer.revision();
        gauge("weir_revision", "Revision in force").Set(revision.revision);
        gauge("weir_revision_fits", "1, or 0 while the newest state does not fit the maps")
            .Set(revision.does_not_fit ? 0 : 1);
        gauge("weir_endpoints", "Endpoints of this node")
            .Set(static_cast<double>(context_.enforcer.endpoints().all().size()));
        for (const auto kind : kKinds) {
            if (is_service_kind(kind)) continue; // read_services()
            gauge("weir_objects", "Objects in force, by kind", {{"kind", to_string(kind)}})
                .Set(context_.inventory.counts()[static_cast<std::size_t>(kind)]);
        }
        read_cni();
        read_services();
        read_reports();
        const SourceStatus source = context_.source.status();
        const auto is_error = [](const Problem& problem) {
            return problem.severity == Severity::kError;
        };
        gauge("weir_manifest_problems", "Manifests that cannot be used as they are")
            .Set(static_cast<double>(std::ranges::count_if(source.problems, is_error)));
        gauge("weir_manifest_kept", "Objects kept in their last valid version")
            .Set(static_cast<double>(source.kept.size()));
        gauge("weir_source_up",
              "1, or 0 while the source of desired state cannot be read and its last one stays")
            .Set(source.has_synced && !source.away ? 1 : 0);
        gauge("weir_flow_records", "Recent flows in memory")
            .Set(static_cast<double>(context_.flows.size()));
    }

    void read_services() {
        if (context_.services == nullptr) return;
        const ServiceCompiler& compiler = context_.services->compiler();
        for (const auto kind : kKinds) {
            if (!is_service_kind(kind)) continue;
            gauge("weir_objects", "Objects in force, by kind", {{"kind", to_string(kind)}})
                .Set(compiler.index().count(kind));
        }
        const ServiceUsage usage = compiler.usage();
        gauge("weir_service_frontends", "Addresses and ports that are balanced")
            .Set(usage.services);
        gauge("weir_service_backends", "Backends, those with connections left included")
            .Set(usage.backends);
        const ServiceDataplane& dataplane = context_.services->dataplane();
        for (const auto& fill : service_map_fills(dataplane, usage))
            read_map(fill);
        read_memory(dataplane.map_infos());
        gauge("weir_services_left_out", "Services that do not fit the maps: see `weir status`")
            .Set(static_cast<double>(compiler.misfits().size()));
        raise(counter("weir_service_ejections_total",
                      "Times that a backend was taken out as an outlier (DestinationRule)", {}),
              context_.services->ejector().ejections());
        const auto outcomes = dataplane.outcomes();
        if (!outcomes) return;
        for (std::size_t i = 0; i < outcomes->size(); ++i) {
            raise(counter("weir_service_outcomes_total",
                          "Connections to services that did not simply get a backend",
                          {{"outcome", service_outcome_word(i)}}),
                  (*outcomes)[i]);
        }
        read_uplinks();
    }

    void read_uplinks() {
        if (context_.services->uplinks() == nullptr) return;
        const UplinkDataplane& dataplane = context_.services->uplinks()->dataplane();
        read_memory(dataplane.map_infos());
        const auto outcomes = dataplane.outcomes();
        if (!outcomes) return;
        for (std::size_t i = 0; i < outcomes->size(); ++i) {
            raise(counter("weir_uplink_packets_total",
                          "Packets of services at the uplinks, by what became of them",
                          {{"outcome", uplink_outcome_word(i)}}),
                  (*outcomes)[i]);
        }
    }

    void read_reports() {
        if (reporter_ == nullptr) return;
        if (const auto* events = reporter_->events()) read_events(*events);
        const auto* statuses = reporter_->statuses();
        if (statuses == nullptr) return;
        const auto read = [this](const char* result, std::uint64_t count) {
            raise(counter("weir_status_writes_total", "Writes of status conditions, by result",
                          {{"result", result}}),
                  count);
        };
        read("written", statuses->written);
        read("outdated", statuses->outdated);
        read("failed", statuses->failed);
    }

    void read_events(const EventCounts& events) {
        const auto read = [this](const char* result, std::uint64_t count) {
            raise(counter("weir_api_events_total",
                          "Events of the Kubernetes API that were written, or were there already",
                          {{"result", result}}),
                  count);
        };
        read("created", events.created);
        read("repeated", events.repeated);
        read("shared", events.shared);
        for (std::size_t i = 0; i < events.dropped.size(); ++i) {
            raise(counter("weir_api_events_dropped_total",
                          "Events of the Kubernetes API that were not written, by reason",
                          {{"reason", to_string(static_cast<EventCounts::Dropped>(i))}}),
                  events.dropped[i]);
        }
    }

    void read_cni() {
        for (const auto& [what, count] : context_.attachments.counts()) {
            raise(counter("weir_cni_requests_total", "Requests of weir-cni that were answered",
                          {{"command", what.first}, {"result", what.second ? "ok" : "error"}}),
                  count);
        }
        gauge("weir_cni_waiting", "Pods that wait for their object to be known")
            .Set(static_cast<double>(context_.attachments.waiting()));
        raise(counter("weir_hooks_mended_total",
                      "Endpoints whose programs somebody took off; they were attached again", {}),
              context_.enforcer.hooks_mended());
        if (!context_.installer.is_enabled()) return;
        gauge("weir_cni_chained", "1, or 0 while new pods start without Weir: see the agent's log")
            .Set(context_.installer.is_chained() ? 1 : 0);
        raise(counter("weir_cni_chain_mended_total",
                      "Times that somebody had replaced the CNI configuration", {}),
              context_.installer.mended());
    }

    const ControlContext context_;
    const Reporter* reporter_;
    prometheus::Registry registry_;
    prometheus::Histogram& compile_seconds_ =
        prometheus::BuildHistogram()
            .Name("weir_compile_seconds")
            .Help("From a change to its revision in force")
            .Register(registry_)
            .Add({}, prometheus::Histogram::BucketBoundaries{0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                             0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5});
};

Metrics::Metrics(const ControlContext& context, const Reporter* reporter)
    : registry_(std::make_unique<Registry>(context, reporter)) {}
Metrics::~Metrics() = default;

void Metrics::observe_compile(double seconds) {
    registry_->observe_compile(seconds);
}

std::string Metrics::text() {
    return registry_->text();
}

} // namespace weir
