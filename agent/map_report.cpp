// SPDX-License-Identifier: Apache-2.0
#include "agent/map_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "loader/dataplane.h"
#include "loader/map_budget.h"
#include "loader/service_dataplane.h"
#include "policy/service_compiler.h"
#include "policy/transaction.h"

namespace weir {

std::vector<MapFillFigure> map_fills(const Dataplane& dataplane, const Usage& usage) {
    const MapSizes& sizes = dataplane.sizes();
    return {{"weir_peers", usage.peers, sizes.peers},
            {"weir_prefixes", usage.prefixes, sizes.prefixes},
            {"weir_tables", usage.tables, sizes.tables},
            {"weir_rules", usage.rules, sizes.rules},
            {"weir_rows", usage.intervals, sizes.intervals}};
}

std::vector<MapFillFigure> service_map_fills(const ServiceDataplane& dataplane,
                                             const ServiceUsage& usage) {
    const ServiceSizes sizes = dataplane.sizes();
    return {{"weir_services", usage.services, sizes.frontends},
            {"weir_slots", usage.slots, sizes.slots},
            {"weir_backends", usage.backends, sizes.backends},
            {"weir_sources", usage.sources, sizes.source_ranges}};
}

MapMemory map_memory_of(const Dataplane& dataplane) {
    MapMemory memory{.used = 0, .most = map_memory(dataplane.sizes())};
    for (const MapInfo& info : dataplane.map_infos())
        if (!is_service_map(info.name)) memory.used += info.memory;
    return memory;
}

std::string kept_maps_notice(const Dataplane& dataplane) {
    const auto& kept = dataplane.kept_maps();
    if (kept.empty()) return {};
    return fmt::format(
        "{} kept the size of an earlier --map-memory, because flows live there or the content "
        "needs the room: after a reboot, or `weir cleanup` on a drained node, all maps have theirs",
        fmt::join(kept, ", "));
}

std::string misfit_text(const DoesNotFit& misfit) {
    const std::string culprit = misfit.policy.empty() ? "" : " because of " + misfit.policy;
    return fmt::format(
        "the new state does not fit{}: {} needs {} entries and has {}; the old revision stays in "
        "force; raise --map-memory, or remove policies, rules or address blocks",
        culprit, misfit.map, misfit.needed, misfit.limit);
}

} // namespace weir
