// SPDX-License-Identifier: Apache-2.0
// One port of one Service: takes backends and ranges of slots, and says what its frontends hold.
// ServiceCompiler's alone.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "policy/service_compiler.h"

namespace weir {

class ServiceCompiler::PortCompiler {
public:
    // before: what the port had, null for a new one.
    PortCompiler(ServiceCompiler& owner, const ServicePlan& plan, const PlannedPort& planned,
                 CompiledPort* before);

    CompiledPort compile();

private:
    // Who has slots of a set.
    struct Member {
        const PlannedBackend* backend = nullptr; // null: nobody, these slots refuse
        std::uint32_t id = WEIR_BACKEND_NONE;
        std::uint32_t slots = 0;
    };
    using Members = std::vector<Member>;

    struct Claim {
        weir_service_key key;
        ClaimRank rank;
        weir_service value;
    };

    BackendKey key_of(const PlannedBackend& backend) const;
    void take_backends();
    void refuse(const char* map, std::uint32_t limit);
    void add_sources();
    void add_frontend(const PlannedFrontend& frontend);
    bool has_backends_elsewhere(const PlannedFrontend& frontend) const;
    void claim_frontends();
    Members members_of(SetKind kind, bool is_v4) const;
    RangePool::Range take_set(SetKind kind, bool is_v4, bool is_maglev,
                              const weir_service_key& key);
    static std::vector<std::uint32_t> slot_content(const Members& members);
    std::vector<std::uint32_t> maglev_content(const Members& members) const;
    void drop_old();

    ServiceCompiler& owner_;
    const ServicePlan& plan_;
    const PlannedPort& planned_;
    CompiledPort* before_;
    CompiledPort port_;
    std::vector<std::uint32_t> ids_; // of planned_.backends; 0: there was no room
    std::vector<Claim> claims_;
    bool has_room_ = true;
};

// Of source ranges, by their bytes.
struct SourceRangeOrder {
    bool operator()(const weir_source_range& a, const weir_source_range& b) const;
};

} // namespace weir
