// SPDX-License-Identifier: Apache-2.0
// How full the maps are and what memory they take, for status, metrics and the log.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir {

class Dataplane;
class ServiceDataplane;
struct DoesNotFit;
struct ServiceUsage;
struct Usage;

// Of a map that the compiler fills.
struct MapFillFigure {
    const char* map;
    std::uint32_t entries;
    std::uint32_t max_entries;
};
std::vector<MapFillFigure> map_fills(const Dataplane& dataplane, const Usage& usage);
// Of services; their sizes are fixed.
std::vector<MapFillFigure> service_map_fills(const ServiceDataplane& dataplane,
                                             const ServiceUsage& usage);

// Of all maps but those of services, which have sizes of their own; in bytes.
struct MapMemory {
    std::uint64_t used = 0; // as the kernel counts it
    std::uint64_t most = 0; // when all maps are full
};
MapMemory map_memory_of(const Dataplane& dataplane);

// Which maps keep the size of an earlier budget and what can be done; empty if none does.
std::string kept_maps_notice(const Dataplane& dataplane);

// What does not fit, and the remedy.
std::string misfit_text(const DoesNotFit& misfit);

} // namespace weir
