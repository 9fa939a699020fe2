// SPDX-License-Identifier: Apache-2.0
// Every map of services that userspace reads or writes (bpf/abi_service.h), typed. Several objects
// have them: each finds them under the same pins.
#pragma once

#include <cstdint>
#include <string_view>

#include "bpf/abi_service.h"
#include "loader/array_view.h"
#include "loader/map.h"
#include "loader/result.h"

struct bpf_object;

namespace weir {

// How many entries the maps are made for; a pinned map that is reused keeps its own size. Slots and
// backends have room for the ranges of before and after a change side by side.
struct ServiceSizes {
    std::uint32_t frontends = 131'072;
    std::uint32_t slots = 524'288;
    std::uint32_t backends = 131'072;
    std::uint32_t source_ranges = 16'384;
    std::uint32_t affinities = 65'536;
    std::uint32_t translations = 131'072; // of weir_nat and weir_uplink_nat each: two a flow

    bool operator==(const ServiceSizes&) const = default;
};

// slots and backends are large, and this process's memory while they are acquired: release them
// where they are used rarely.
struct ServiceMaps {
    Map<weir_service_key, weir_service> services;
    ArrayView<std::uint64_t> hints;
    ArrayView<std::uint32_t> slots;
    ArrayView<weir_backend> backends;
    Map<weir_source_range, std::uint8_t> sources;
    Map<weir_affinity_key, weir_affinity> affinities;
    ArrayView<weir_socket_set> sockets; // the programs' own

    // Sets the frontend's bit in weir_hints.
    void hint(const weir_service_key& frontend) const;
};

bool is_service_map(std::string_view name);
// Of those maps that the opened object has.
Result<> set_service_sizes(const bpf_object* object, const ServiceSizes& sizes);
// The opened object is loaded without them: its programs must not get to where they use any.
Result<> leave_out_service_maps(const bpf_object* object);

} // namespace weir
