// SPDX-License-Identifier: Apache-2.0
// What ServiceCompiler wants written, in the order of the members, and what it has to know of an
// earlier agent's maps.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "bpf/abi_service.h"

namespace weir {

// Fields of a backend that the agent owns and that change while it is in use.
struct BackendUpdate {
    std::uint32_t id = 0;
    weir_backend_state state = WEIR_BACKEND_UNUSED;
    std::uint32_t max_connections = 0;
    bool is_local = false;

    bool operator==(const BackendUpdate&) const = default;
};

struct SlotRange {
    std::uint32_t first = 0;
    std::vector<std::uint32_t> backends;
};

// Everything in it may be written again: after a failure the whole is.
struct ServiceTransaction {
    std::vector<std::uint32_t> free_backends; // UNUSED; some are among the new ones again
    std::vector<std::pair<std::uint32_t, weir_backend>> new_backends;
    std::vector<SlotRange> slots;
    std::vector<weir_source_range> new_sources;
    // From here on the programs see it, one frontend at a time.
    std::vector<std::pair<weir_service_key, weir_service>> services;
    std::vector<weir_service_key> gone_services;
    std::vector<BackendUpdate> backends;
    std::vector<weir_source_range> gone_sources;

    bool is_empty() const {
        return free_backends.empty() && new_backends.empty() && slots.empty() &&
               new_sources.empty() && services.empty() && gone_services.empty() &&
               backends.empty() && gone_sources.empty();
    }
};

// How many entries the maps have.
struct ServiceLimits {
    std::uint32_t services = 65'536;
    std::uint32_t slots = 1u << 20;
    std::uint32_t backends = 131'072; // id 0 is none
    std::uint32_t sources = 16'384;
};

// What an earlier agent left.
struct ServiceState {
    std::vector<std::pair<weir_service_key, weir_service>> services;
    std::vector<SlotRange> slots; // one for each range that a service names, each once
    std::vector<std::pair<std::uint32_t, weir_backend>> backends; // but for unused ones
    std::vector<weir_source_range> sources;
};

} // namespace weir
