// SPDX-License-Identifier: Apache-2.0
// From Services, EndpointSlices, routes and the own Node to what has to change in the maps. Each
// change touches the rows of its own Services alone. Deterministic, and without clock or I/O.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "policy/backend_book.h"
#include "policy/frontend_claims.h"
#include "policy/service_index.h"
#include "policy/service_plan.h"
#include "policy/service_transaction.h"
#include "policy/slot_book.h"

namespace weir {

// Which map has no room for a Service.
struct ServiceMisfit {
    ObjectName service;
    std::string map; // "weir_slots"
    std::uint32_t limit = 0;
};

// Backends of one Service's port and IP family of which a DestinationRule wants the outliers out.
struct WatchedPool {
    ObjectName service;
    DestinationRule::Outliers outliers;
    std::vector<std::uint32_t> backends; // ids

    bool operator==(const WatchedPool&) const = default;
};

// Fill of the maps.
struct ServiceUsage {
    std::uint32_t services = 0;
    std::uint32_t slots = 0;
    std::uint32_t backends = 0;
    std::uint32_t sources = 0;
};

class ServiceCompiler {
public:
    ServiceCompiler(Symbol node, const ServiceLimits& limits);

    // What an earlier agent left, before the first compile(). Its ids stay for what is the same.
    void adopt(const ServiceState& state);
    // Desired state, the whole of it before the first compile(): what an earlier agent left and
    // nobody claims then is taken away.
    void apply(const Change& change) { index_.apply(change); }

    // What has to be written; it counts as in force, so that a writer that fails tries again. A
    // Service that does not fit is left out, its packets pass as if there were none.
    ServiceTransaction compile();

    // After the last transaction was written: wait for a grace period, then call reclaim() with
    // the number. Slots and ids that nothing names any more are free then, and what did not fit is
    // tried again by the next compile().
    std::uint64_t written();
    void reclaim(std::uint64_t number);
    // Backends that are removed and that no program can come upon any more: each is to be released
    // when its connections are gone.
    std::vector<std::uint32_t> releasable() const { return backends_.releasable(reclaimed_); }
    // The next transaction frees the id.
    void release_backend(std::uint32_t id) { backends_.release(id, next_); }

    const ServiceIndex& index() const { return index_; }
    const FrontendClaims& claims() const { return claims_; }
    ServiceUsage usage() const;
    std::vector<ServiceMisfit> misfits() const;
    // The id of a Service's port; 0 when it has none.
    std::uint32_t service_id(const ObjectName& service, const ServicePort& port) const;
    // The id of a backend of that port; 0 when it has none.
    std::uint32_t backend_id(std::uint32_t service_id, const PlannedBackend& backend,
                             std::uint8_t protocol) const;
    // Of the last compile(), in no order.
    std::vector<WatchedPool> watched_pools() const;

private:
    struct CompiledSet {
        bool is_v4 = true;
        bool is_maglev = false;
        RangePool::Range range;
        std::vector<std::pair<std::uint32_t, std::uint32_t>> shares; // backend id, slots
    };
    struct CompiledPort {
        std::uint32_t id = 0;
        std::uint16_t port = 0;
        std::uint8_t protocol = 0;
        std::vector<BackendKey> backends;
        std::vector<CompiledSet> sets;
        std::vector<weir_service_key> frontends;
        std::vector<weir_source_range> sources;
        DestinationRule::Outliers outliers;
    };
    struct CompiledService {
        std::vector<CompiledPort> ports;
        std::vector<weir_service_key> wildcards;
    };
    class PortCompiler; // service_port_compiler.h

    static bool is_watched(const CompiledPort& port);
    void compile_service(const ObjectName& name);
    void retire(const ObjectName& name, CompiledPort& port);
    void claim_wildcards(const ObjectName& name, const ServicePlan& plan,
                         CompiledService& compiled);
    std::uint32_t take_service_id(const PlannedPort& port);
    bool has_room(const ObjectName& name, const ServicePlan& plan);
    void refuse(const ObjectName& name, const char* map, std::uint32_t limit);
    void sweep();

    ServiceLimits limits_;
    ServiceIndex index_;
    FrontendClaims claims_;
    BackendBook backends_;
    SlotBook slots_;
    IdPool ids_{1};
    std::unordered_map<ObjectName, CompiledService, ObjectNameHash> compiled_;
    std::unordered_map<ObjectName, ServiceMisfit, ObjectNameHash> misfits_;
    std::unordered_set<ObjectName, ObjectNameHash> watched_; // with outlier detection
    std::vector<std::uint32_t> retired_; // service ids, until the next written()
    std::map<std::uint64_t, std::vector<std::uint32_t>> retiring_;
    std::unordered_set<std::uint32_t> adopted_ids_; // that nobody took yet
    std::vector<weir_source_range> adopted_sources_;
    ServiceTransaction next_;
    std::uint32_t sources_ = 0;
    std::uint64_t reclaimed_ = 0; // number of the last wait that is over
    bool is_swept_ = false;
};

// As the maps have it.
weir_service_key frontend_key(const Address& address, std::uint16_t port, std::uint8_t protocol,
                              weir_service_scope scope);
weir_service_key wildcard_key(const Address& address, weir_service_scope scope);

} // namespace weir
