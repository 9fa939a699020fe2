// SPDX-License-Identifier: Apache-2.0
#include "loader/service_maps.h"

#include <bpf/libbpf.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace weir {
namespace {

using Sizes = std::vector<std::pair<const char*, std::uint32_t>>;

Sizes by_name(const ServiceSizes& sizes) {
    return {{"weir_services", sizes.frontends},
            {"weir_hints", WEIR_HINT_WORDS},
            {"weir_slots", sizes.slots},
            {"weir_backends", sizes.backends},
            {"weir_sources", sizes.source_ranges},
            {"weir_affinities", sizes.affinities},
            {"weir_nat", sizes.translations},
            {"weir_uplink_nat", sizes.translations},
            {"weir_nat_scratch", 1},
            {"weir_sockets", WEIR_SOCKET_SETS},
            {"weir_rewrites", 1},
            {"weir_egress_writer", 1},
            {"weir_ingress_writer", 1},
            {"weir_error_budget", 1},
            {"weir_outcomes", WEIR_SERVICE_OUTCOME_COUNT}};
}

} // namespace

void ServiceMaps::hint(const weir_service_key& frontend) const {
    const std::uint32_t bit = WEIR_HINT_BIT(frontend.address.words, frontend.port);
    __atomic_fetch_or(&hints[bit / 64], std::uint64_t{1} << (bit % 64), __ATOMIC_RELAXED);
}

bool is_service_map(std::string_view name) {
    return std::ranges::any_of(by_name({}), [&](const auto& map) { return name == map.first; });
}

Result<> set_service_sizes(const bpf_object* object, const ServiceSizes& sizes) {
    for (const auto& [name, size] : by_name(sizes)) {
        bpf_map* map = bpf_object__find_map_by_name(object, name);
        if (map != nullptr && bpf_map__set_max_entries(map, size) != 0)
            return failure_errno("set the size of " + std::string(name));
    }
    return {};
}

Result<> leave_out_service_maps(const bpf_object* object) {
    for (const auto& [name, size] : by_name({})) {
        bpf_map* map = bpf_object__find_map_by_name(object, name);
        if (map != nullptr && bpf_map__set_autocreate(map, false) != 0)
            return failure_errno("leave out " + std::string(name));
    }
    return {};
}

} // namespace weir
