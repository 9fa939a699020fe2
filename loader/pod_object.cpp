// SPDX-License-Identifier: Apache-2.0
#include "loader/pod_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cassert>
#include <ctime>

#include "bpf/pod.skel.h"
#include "loader/bpffs.h"
#include "loader/dataplane.h"
#include "loader/log_capture.h"
#include "loader/map_pins.h"
#include "loader/object_load.h"

namespace weir {
namespace {

constexpr const char* kProgramNames[] = {"weir_pod_egress", "weir_pod_ingress"};

struct Writer {
    const char* program;
    const char* array; // through which its hook ends in it
};
constexpr Writer kWriters[] = {{"weir_write_egress", "weir_egress_writer"},
                               {"weir_write_ingress", "weir_ingress_writer"}};

} // namespace

void PodObject::Destroyer::operator()(pod_bpf* skeleton) const {
    pod_bpf__destroy(skeleton);
}

Result<PodObject> PodObject::load(const DataplaneOptions& options,
                                  const std::filesystem::path& folder) {
    raise_memlock();
    LogCapture log;
    PodObject pod;
    pod.skeleton_.reset(pod_bpf__open());
    if (!pod.skeleton_) return failure_errno("open the BPF object: " + log.tail());
    pod.object_ = pod.skeleton_->obj;
    if (auto set = pod.set_sizes(options.sizes); !set)
        return std::unexpected(std::move(set.error()));
    if (auto set = pod.set_services(options.services); !set)
        return std::unexpected(std::move(set.error()));
    PinnedMaps pinned;
    if (!folder.empty()) {
        auto found = reuse_pinned_maps(pod.object_, folder);
        if (!found) return std::unexpected(std::move(found.error()));
        pinned = std::move(*found);
        pod.is_adopted_ = pinned.is_any_found;
        pod.kept_maps_ = pinned.kept;
        if (pod.is_adopted_) pod.expect_crowded_flows();
    }
    pod.set_shares(options.shares.value_or(PodShares::of(pod.sizes())));
    pod.skeleton_->rodata->event_wakeup_bytes = bpf_map__max_entries(pod.find("weir_events")) / 4;
    if (const int error = pod_bpf__load(pod.skeleton_.get()); error != 0)
        return failure("load the BPF object: " + std::string(std::strerror(-error)) +
                       load_advice(-error) + "\n" + log.tail());
    if (auto set = pod.set_writers(); !set) return std::unexpected(std::move(set.error()));
    if (!folder.empty())
        if (auto done = pin_maps(pod.object_, pinned, folder); !done)
            return std::unexpected(std::move(done.error()));
    return pod;
}

void PodObject::set_shares(const PodShares& shares) {
    skeleton_->rodata->flow_pod_share = shares.new_flows;
    skeleton_->rodata->load_answered_share = shares.answered_flows;
    skeleton_->rodata->load_fragment_share = shares.fragments;
    skeleton_->rodata->load_event_burst = shares.events;
}

// An earlier agent's programs knew until when there may be any; these have to look at first.
void PodObject::expect_crowded_flows() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const auto nanoseconds = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000;
    skeleton_->bss->flow_crowded_until = nanoseconds + skeleton_->rodata->flow_idle_ns;
}

bpf_map* PodObject::find(const char* name) const {
    bpf_map* map = bpf_object__find_map_by_name(object_, name);
    assert(map != nullptr);
    return map;
}

bpf_program* PodObject::program(const char* name) const {
    bpf_program* program = bpf_object__find_program_by_name(object_, name);
    assert(program != nullptr);
    return program;
}

Result<> PodObject::set_sizes(const MapSizes& sizes) {
    const std::pair<const char*, std::uint32_t> entries[] = {
        {"weir_peers", sizes.peers},         {"weir_prefixes", sizes.prefixes},
        {"weir_tables", sizes.tables},       {"weir_rules", sizes.rules},
        {"weir_rows", sizes.intervals},      {"weir_flows", sizes.flows},
        {"weir_new_flows", sizes.new_flows}, {"weir_crowded_flows", sizes.new_flows},
        {"weir_fragments", sizes.fragments}, {"weir_crowded_fragments", sizes.fragments},
        {"weir_events", sizes.event_bytes},
    };
    for (const auto& [name, size] : entries)
        if (bpf_map__set_max_entries(find(name), size) != 0)
            return failure_errno("set the size of " + std::string(name));
    return {};
}

Result<> PodObject::set_services(const std::optional<ServiceSizes>& sizes) {
    skeleton_->rodata->services_on = sizes.has_value();
    for (const Writer& writer : kWriters)
        bpf_program__set_autoload(program(writer.program), sizes.has_value());
    return sizes ? set_service_sizes(object_, *sizes) : leave_out_service_maps(object_);
}

Result<> PodObject::set_writers() const {
    if (skeleton_->rodata->services_on == 0) return {};
    for (const Writer& writer : kWriters) {
        const std::uint32_t index = 0;
        const int fd = bpf_program__fd(program(writer.program));
        if (bpf_map_update_elem(map_fd(writer.array), &index, &fd, BPF_ANY) != 0)
            return failure_errno("fill " + std::string(writer.array));
    }
    return {};
}

MapSizes PodObject::sizes() const {
    const auto size = [this](const char* name) { return bpf_map__max_entries(find(name)); };
    return {.peers = size("weir_peers"),
            .prefixes = size("weir_prefixes"),
            .tables = size("weir_tables"),
            .rules = size("weir_rules"),
            .intervals = size("weir_rows"),
            .flows = size("weir_flows"),
            .new_flows = size("weir_new_flows"),
            .fragments = size("weir_fragments"),
            .event_bytes = size("weir_events")};
}

Result<Maps> PodObject::open_maps() const {
    Maps maps;
    Error error;
    const bool is_open = open_into(maps.endpoints, map_fd("weir_endpoints"), error) &&
                         open_into(maps.pods, map_fd("weir_pods"), error) &&
                         open_into(maps.peers, map_fd("weir_peers"), error) &&
                         open_into(maps.prefixes, map_fd("weir_prefixes"), error) &&
                         open_into(maps.tables, map_fd("weir_tables"), error) &&
                         open_into(maps.rules, map_fd("weir_rules"), error) &&
                         open_into(maps.rows, map_fd("weir_rows"), error) &&
                         open_into(maps.flows, map_fd("weir_flows"), error) &&
                         open_into(maps.new_flows, map_fd("weir_new_flows"), error) &&
                         open_into(maps.fragments, map_fd("weir_fragments"), error) &&
                         open_into(maps.meta, map_fd("weir_meta"), error);
    const bool has_services = skeleton_->rodata->services_on != 0;
    if (!is_open ||
        (has_services &&
         (!open_into(maps.translations.emplace(), map_fd("weir_nat"), error) ||
          !open_into(maps.uplink_translations.emplace(), map_fd("weir_uplink_nat"), error))))
        return std::unexpected(std::move(error));
    return maps;
}

std::vector<MapInfo> PodObject::map_infos() const {
    return weir::map_infos(object_);
}

int PodObject::map_fd(const char* name) const {
    return bpf_map__fd(find(name));
}

int PodObject::program_fd(weir_direction direction) const {
    return bpf_program__fd(program(kProgramNames[direction]));
}

Result<> PodObject::pin_programs(const std::filesystem::path& folder) const {
    for (const weir_direction direction : {WEIR_EGRESS, WEIR_INGRESS})
        if (auto pinned = replace_pin(program_fd(direction), folder / kProgramNames[direction]);
            !pinned)
            return pinned;
    return {};
}

} // namespace weir
