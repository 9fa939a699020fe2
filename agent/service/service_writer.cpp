// SPDX-License-Identifier: Apache-2.0
#include "agent/service/service_writer.h"

#include <algorithm>
#include <map>

#include "loader/service_maps.h"

namespace weir {
namespace {

void store(weir_backend& backend, const BackendUpdate& update) {
    __atomic_store_n(&backend.max_connections, update.max_connections, __ATOMIC_RELAXED);
    __atomic_store_n(&backend.is_local, static_cast<__u8>(update.is_local ? 1 : 0),
                     __ATOMIC_RELAXED);
    // An ejected backend comes back by itself.
    const bool stays_ejected =
        update.state == WEIR_BACKEND_ACTIVE &&
        __atomic_load_n(&backend.state, __ATOMIC_RELAXED) == WEIR_BACKEND_EJECTED;
    if (!stays_ejected) {
        __atomic_store_n(&backend.state, static_cast<__u8>(update.state), __ATOMIC_RELEASE);
    }
}

Result<> write_frontends(const ServiceMaps& maps, const ServiceTransaction& transaction) {
    for (const auto& range : transaction.new_sources) {
        if (auto written = maps.sources.update(range, 1); !written) return written;
    }
    for (const auto& [key, service] : transaction.services) {
        maps.hint(key);
        if (auto written = maps.services.update(key, service); !written) return written;
    }
    for (const auto& key : transaction.gone_services) {
        if (auto erased = maps.services.erase(key); !erased) return std::unexpected(erased.error());
    }
    return {};
}

} // namespace

Result<> write_services(const ServiceMaps& maps, const ServiceTransaction& transaction) {
    for (const auto id : transaction.free_backends) {
        __atomic_store_n(&maps.backends[id].state, static_cast<__u8>(WEIR_BACKEND_UNUSED),
                         __ATOMIC_RELEASE);
    }
    for (const auto& [id, backend] : transaction.new_backends)
        maps.backends[id] = backend;
    for (const auto& range : transaction.slots) {
        std::uint32_t position = range.first;
        for (const auto backend : range.backends)
            __atomic_store_n(&maps.slots[position++], backend, __ATOMIC_RELEASE);
    }
    if (auto written = write_frontends(maps, transaction); !written) return written;
    for (const auto& update : transaction.backends)
        store(maps.backends[update.id], update);
    for (const auto& range : transaction.gone_sources) {
        if (auto erased = maps.sources.erase(range); !erased) {
            return std::unexpected(erased.error());
        }
    }
    return {};
}

void renew_hints(const ServiceMaps& maps, const ServiceState& state) {
    for (std::uint32_t i = 0; i < maps.hints.size(); ++i)
        __atomic_store_n(&maps.hints[i], 0, __ATOMIC_RELAXED);
    for (const auto& [key, service] : state.services)
        maps.hint(key);
}

Result<ServiceState> read_services(const ServiceMaps& maps) {
    ServiceState state;
    std::map<std::uint32_t, std::uint32_t> ranges; // first slot -> count
    const auto frontends =
        maps.services.for_each([&](const weir_service_key& key, const weir_service& service) {
            state.services.emplace_back(key, service);
            if (service.slot_count != 0) ranges[service.first_slot] = service.slot_count;
            if (service.maglev_count != 0) ranges[service.first_maglev] = service.maglev_count;
        });
    if (!frontends) return std::unexpected(frontends.error());
    for (const auto& [first, count] : ranges) {
        SlotRange range{first, {}};
        for (std::uint32_t i = first; i < std::min(first + count, maps.slots.size()); ++i)
            range.backends.push_back(maps.slots[i]);
        state.slots.push_back(std::move(range));
    }
    for (std::uint32_t id = 1; id < maps.backends.size(); ++id) {
        if (maps.backends[id].state == WEIR_BACKEND_UNUSED) continue;
        state.backends.emplace_back(id, maps.backends[id]);
    }
    const auto sources =
        maps.sources.for_each([&](const weir_source_range& range, const std::uint8_t&) {
            state.sources.push_back(range);
        });
    if (!sources) return std::unexpected(sources.error());
    return state;
}

} // namespace weir
