// SPDX-License-Identifier: Apache-2.0
#include "policy/service_port_compiler.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <unordered_set>

#include "policy/maglev.h"
#include "policy/slot_shares.h"

namespace weir {
namespace {

constexpr std::size_t index_of(SetKind kind) {
    return static_cast<std::size_t>(kind);
}

const char* protocol_word(std::uint8_t protocol) {
    switch (protocol) {
        case IPPROTO_UDP:
            return "udp";
        case IPPROTO_SCTP:
            return "sctp";
        default:
            return "tcp";
    }
}

weir_source_range source_range(std::uint32_t service, const Cidr& cidr) {
    weir_source_range range{};
    range.prefix_length = 32u + cidr.prefix_length;
    range.service = service;
    std::ranges::copy(cidr.network.bytes, range.address.bytes);
    return range;
}

// Random is the rule where a socket connects, Maglev where packets come in.
bool uses_maglev(const Service& service, weir_service_scope scope) {
    if (service.is_choice_given) {
        return service.choice == ServiceChoice::kMaglev;
    }
    return scope == WEIR_SCOPE_EXTERNAL;
}

// They are sorted, and each range is there once.
bool contains(const std::vector<weir_source_range>& ranges, const weir_source_range& range) {
    return std::ranges::binary_search(ranges, range, SourceRangeOrder{});
}

} // namespace

bool SourceRangeOrder::operator()(const weir_source_range& a, const weir_source_range& b) const {
    return std::memcmp(&a, &b, sizeof(a)) < 0;
}

ServiceCompiler::PortCompiler::PortCompiler(ServiceCompiler& owner, const ServicePlan& plan,
                                            const PlannedPort& planned, CompiledPort* before)
    : owner_(owner), plan_(plan), planned_(planned), before_(before) {
    port_.id = before == nullptr ? owner.take_service_id(planned) : before->id;
    port_.port = planned.port.port;
    port_.protocol = planned.port.protocol;
    port_.outliers = planned.outliers;
}

ServiceCompiler::CompiledPort ServiceCompiler::PortCompiler::compile() {
    take_backends();
    add_sources();
    for (const auto& frontend : planned_.frontends) {
        add_frontend(frontend);
    }
    claim_frontends();
    drop_old();
    return std::move(port_);
}

BackendKey ServiceCompiler::PortCompiler::key_of(const PlannedBackend& backend) const {
    return {port_.id, backend.address, backend.port, port_.protocol};
}

void ServiceCompiler::PortCompiler::take_backends() {
    for (const auto& backend : planned_.backends) {
        const auto state = backend.is_active() ? WEIR_BACKEND_ACTIVE : WEIR_BACKEND_DRAINING;
        const auto id = owner_.backends_.take(key_of(backend), state, backend.max_connections,
                                              backend.is_local, owner_.next_);
        if (!id) {
            refuse("weir_backends", owner_.limits_.backends);
        } else {
            port_.backends.push_back(key_of(backend));
        }
        ids_.push_back(id.value_or(0));
    }
}

void ServiceCompiler::PortCompiler::refuse(const char* map, std::uint32_t limit) {
    has_room_ = false;
    owner_.refuse(plan_.service->name, map, limit);
}

void ServiceCompiler::PortCompiler::add_sources() {
    const bool is_filtered =
        std::ranges::any_of(planned_.frontends, &PlannedFrontend::has_source_ranges);
    if (!is_filtered) {
        return;
    }
    for (const auto& cidr : plan_.service->source_ranges) {
        port_.sources.push_back(source_range(port_.id, cidr));
    }
    std::ranges::sort(port_.sources, SourceRangeOrder{});
    const auto same = std::ranges::unique(port_.sources, [](const auto& a, const auto& b) {
        return std::memcmp(&a, &b, sizeof(a)) == 0;
    });
    port_.sources.erase(same.begin(), same.end());
    for (const auto& range : port_.sources) {
        if (before_ != nullptr && contains(before_->sources, range)) continue;
        owner_.next_.new_sources.push_back(range);
        ++owner_.sources_;
    }
}

void ServiceCompiler::PortCompiler::add_frontend(const PlannedFrontend& frontend) {
    const auto key = frontend_key(frontend.address, frontend.port, port_.protocol, frontend.scope);
    weir_service value{};
    value.id = port_.id;
    value.affinity = plan_.service->affinity;
    const bool is_v4 = frontend.address.is_v4();
    const auto slots = take_set(frontend.set, is_v4, false, key);
    value.first_slot = slots.offset;
    value.slot_count = slots.count;
    if (uses_maglev(*plan_.service, frontend.scope) && slots.count != 0) {
        // The same on every node, whatever the hints say here.
        const bool is_shared =
            frontend.scope == WEIR_SCOPE_EXTERNAL && frontend.set == SetKind::kCluster;
        const auto table =
            take_set(is_shared ? SetKind::kAnywhere : frontend.set, is_v4, true, key);
        value.first_maglev = table.offset;
        value.maglev_count = table.count;
        if (table.count != 0) value.flags |= WEIR_SERVICE_MAGLEV;
    }
    if (slots.count == 0 && has_backends_elsewhere(frontend)) value.flags |= WEIR_SERVICE_NONE_HERE;
    if (frontend.has_source_ranges) value.flags |= WEIR_SERVICE_SOURCE_RANGES;
    if (plan_.service->choice == ServiceChoice::kLeastLoaded) {
        value.flags |= WEIR_SERVICE_LEAST_LOADED;
    }
    if (plan_.service->is_dsr && frontend.scope == WEIR_SCOPE_EXTERNAL) {
        value.flags |= WEIR_SERVICE_DSR;
    }
    if (plan_.service->closes_tcp) value.flags |= WEIR_SERVICE_CLOSE_TCP;
    // A host port that is a node port as well is the Service's.
    const bool is_guest =
        frontend.kind != FrontendKind::kClusterIp && frontend.kind != FrontendKind::kNodePort;
    claims_.push_back({key, {is_guest, plan_.service->created}, value});
}

// "Traffic mistakenly sent to a node with no endpoints will be dropped": a balancer that has yet to
// see the health check fail tries again, and elsewhere. A Service without any endpoint refuses.
bool ServiceCompiler::PortCompiler::has_backends_elsewhere(const PlannedFrontend& frontend) const {
    const auto is_elsewhere = [&](const PlannedBackend& backend) {
        return backend.is_v4() == frontend.address.is_v4() &&
               backend.slots[index_of(SetKind::kAnywhere)] != 0;
    };
    return frontend.scope == WEIR_SCOPE_EXTERNAL && frontend.set == SetKind::kLocal &&
           std::ranges::any_of(planned_.backends, is_elsewhere);
}

// A port without room for all of its slots is left out, or it would refuse.
void ServiceCompiler::PortCompiler::claim_frontends() {
    if (!has_room_) {
        return;
    }
    for (const auto& [key, rank, value] : claims_) {
        owner_.claims_.set(key, plan_.service->name, rank, value);
        port_.frontends.push_back(key);
    }
}

ServiceCompiler::PortCompiler::Members ServiceCompiler::PortCompiler::members_of(SetKind kind,
                                                                                 bool is_v4) const {
    Members members;
    for (std::size_t i = 0; i < planned_.backends.size(); ++i) {
        const auto& backend = planned_.backends[i];
        const auto slots = backend.slots[index_of(kind)];
        if (backend.is_v4() == is_v4 && slots != 0 && ids_[i] != 0) {
            members.push_back({&backend, ids_[i], slots});
        }
    }
    // Where there is nobody else, a frontend without slots says it.
    const auto refused = planned_.refused(kind, is_v4);
    if (refused != 0 && !members.empty()) members.push_back({nullptr, WEIR_BACKEND_NONE, refused});
    return members;
}

// The range of a set of backends: that of before if it is the same, or a new one.
RangePool::Range ServiceCompiler::PortCompiler::take_set(SetKind kind, bool is_v4, bool is_maglev,
                                                         const weir_service_key& key) {
    const auto members = members_of(kind, is_v4);
    if (members.empty()) {
        return {};
    }
    std::vector<std::pair<std::uint32_t, std::uint32_t>> shares;
    for (const auto& member : members) {
        shares.emplace_back(member.id, member.slots);
    }
    const auto is_it = [&](const CompiledSet& set) {
        return set.is_v4 == is_v4 && set.is_maglev == is_maglev && set.shares == shares;
    };
    if (const auto known = std::ranges::find_if(port_.sets, is_it); known != port_.sets.end()) {
        return known->range;
    }
    if (before_ != nullptr) {
        const auto kept = std::ranges::find_if(before_->sets, is_it);
        if (kept != before_->sets.end()) {
            port_.sets.push_back(*kept);
            return kept->range;
        }
    }
    const auto* adopted = owner_.claims_.find(key);
    std::optional<std::uint32_t> first;
    if (adopted != nullptr) first = is_maglev ? adopted->first_maglev : adopted->first_slot;
    const auto range = owner_.slots_.take(
        is_maglev ? maglev_content(members) : slot_content(members), first, owner_.next_);
    if (!range) {
        refuse("weir_slots", owner_.limits_.slots);
        return {};
    }
    port_.sets.push_back({is_v4, is_maglev, *range, std::move(shares)});
    return *range;
}

std::vector<std::uint32_t> ServiceCompiler::PortCompiler::slot_content(const Members& members) {
    std::vector<std::uint32_t> slots;
    for (const auto& member : members) {
        slots.push_back(member.slots);
    }
    std::vector<std::uint32_t> content = spread_slots(slots);
    for (auto& entry : content) {
        entry = members[entry].id;
    }
    return content;
}

std::vector<std::uint32_t> ServiceCompiler::PortCompiler::maglev_content(
    const Members& members) const {
    std::vector<MaglevBackend> backends;
    for (const auto& [backend, id, slots] : members) {
        const auto name = backend == nullptr ? "refused"
                                             : backend->address.to_string(backend->port) + "/" +
                                                   protocol_word(port_.protocol);
        backends.push_back({name, slots});
    }
    std::vector<std::uint32_t> content = maglev_table(backends);
    for (auto& entry : content) {
        entry = members[entry].id;
    }
    return content;
}

// What the port had and has no more.
void ServiceCompiler::PortCompiler::drop_old() {
    if (before_ == nullptr) {
        return;
    }
    for (const auto& key : before_->frontends) {
        const auto is_key = [&](const auto& one) { return ServiceKeyEqual{}(one, key); };
        if (std::ranges::none_of(port_.frontends, is_key)) {
            owner_.claims_.drop(key, plan_.service->name);
        }
    }
    for (const auto& set : before_->sets) {
        const auto is_kept = [&](const CompiledSet& one) {
            return one.range.offset == set.range.offset;
        };
        if (std::ranges::none_of(port_.sets, is_kept)) owner_.slots_.give_back(set.range);
    }
    for (const auto& range : before_->sources) {
        if (contains(port_.sources, range)) continue;
        owner_.next_.gone_sources.push_back(range);
        --owner_.sources_;
    }
    const std::unordered_set<BackendKey, BackendKeyHash> kept(port_.backends.begin(),
                                                              port_.backends.end());
    for (const auto& key : before_->backends) {
        if (!kept.contains(key)) owner_.backends_.remove(key, owner_.next_);
    }
}

} // namespace weir
