// SPDX-License-Identifier: Apache-2.0
#include "policy/service_compiler.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <utility>

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

bool is_same(const weir_source_range& a, const weir_source_range& b) {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
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

} // namespace

weir_service_key frontend_key(const Address& address, std::uint16_t port, std::uint8_t protocol,
                              weir_service_scope scope) {
    weir_service_key key{};
    key.address = address.to_abi();
    key.port = htons(port);
    key.protocol = protocol;
    key.scope = static_cast<__u8>(scope);
    return key;
}

weir_service_key wildcard_key(const Address& address, weir_service_scope scope) {
    return frontend_key(address, 0, 0, scope);
}

// One port of one Service: takes backends and ranges, and says what its frontends hold.
class ServiceCompiler::PortCompiler {
public:
    PortCompiler(ServiceCompiler& owner, const ServicePlan& plan, const PlannedPort& planned,
                 CompiledPort* before)
        : owner_(owner), plan_(plan), planned_(planned), before_(before) {
        port_.id = before == nullptr ? owner.take_service_id(planned) : before->id;
        port_.port = planned.port.port;
        port_.protocol = planned.port.protocol;
    }

    CompiledPort compile() {
        take_backends();
        add_sources();
        for (const auto& frontend : planned_.frontends) {
            add_frontend(frontend);
        }
        claim_frontends();
        drop_old();
        return std::move(port_);
    }

private:
    BackendKey key_of(const PlannedBackend& backend) const {
        return {port_.id, backend.address, backend.port, port_.protocol};
    }

    void take_backends() {
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

    void refuse(const char* map, std::uint32_t limit) {
        has_room_ = false;
        owner_.refuse(plan_.service->name, map, limit);
    }

    void add_sources() {
        const bool is_filtered =
            std::ranges::any_of(planned_.frontends, &PlannedFrontend::has_source_ranges);
        if (!is_filtered) {
            return;
        }
        for (const auto& cidr : plan_.service->source_ranges) {
            port_.sources.push_back(source_range(port_.id, cidr));
        }
        std::ranges::sort(port_.sources, [](const auto& a, const auto& b) {
            return std::memcmp(&a, &b, sizeof(a)) < 0;
        });
        const auto same = std::ranges::unique(port_.sources, is_same);
        port_.sources.erase(same.begin(), same.end());
        for (const auto& range : port_.sources) {
            if (before_ != nullptr && contains(before_->sources, range)) {
                continue;
            }
            owner_.next_.new_sources.push_back(range);
            ++owner_.sources_;
        }
    }

    void add_frontend(const PlannedFrontend& frontend) {
        const auto key =
            frontend_key(frontend.address, frontend.port, port_.protocol, frontend.scope);
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
        if (frontend.has_source_ranges) value.flags |= WEIR_SERVICE_SOURCE_RANGES;
        if (plan_.service->choice == ServiceChoice::kLeastLoaded) {
            value.flags |= WEIR_SERVICE_LEAST_LOADED;
        }
        if (plan_.service->closes_tcp) value.flags |= WEIR_SERVICE_CLOSE_TCP;
        const bool is_guest = frontend.kind == FrontendKind::kExternalIp ||
                              frontend.kind == FrontendKind::kLoadBalancer;
        claims_.push_back({key, {is_guest, plan_.service->created}, value});
    }

    // A port without room for all of its slots is left out, or it would refuse.
    void claim_frontends() {
        if (!has_room_) {
            return;
        }
        for (const auto& [key, rank, value] : claims_) {
            owner_.claims_.set(key, plan_.service->name, rank, value);
            port_.frontends.push_back(key);
        }
    }

    std::vector<std::pair<std::uint32_t, std::uint32_t>> shares_of(SetKind kind, bool is_v4) const {
        std::vector<std::pair<std::uint32_t, std::uint32_t>> shares;
        for (std::size_t i = 0; i < planned_.backends.size(); ++i) {
            const auto& backend = planned_.backends[i];
            const auto slots = backend.slots[index_of(kind)];
            if (backend.is_v4() == is_v4 && slots != 0 && ids_[i] != 0) {
                shares.emplace_back(static_cast<std::uint32_t>(i), slots);
            }
        }
        return shares;
    }

    // The range of a set of backends: that of before if it is the same, or a new one.
    RangePool::Range take_set(SetKind kind, bool is_v4, bool is_maglev,
                              const weir_service_key& key) {
        const auto members = shares_of(kind, is_v4);
        if (members.empty()) {
            return {};
        }
        std::vector<std::pair<std::uint32_t, std::uint32_t>> shares;
        for (const auto& [member, slots] : members) {
            shares.emplace_back(ids_[member], slots);
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

    using Members = std::vector<std::pair<std::uint32_t, std::uint32_t>>; // of planned_, slots

    std::vector<std::uint32_t> slot_content(const Members& members) const {
        std::vector<std::uint32_t> slots;
        for (const auto& [member, count] : members) {
            slots.push_back(count);
        }
        std::vector<std::uint32_t> content = spread_slots(slots);
        for (auto& entry : content) {
            entry = ids_[members[entry].first];
        }
        return content;
    }

    std::vector<std::uint32_t> maglev_content(const Members& members) const {
        std::vector<MaglevBackend> backends;
        for (const auto& [member, count] : members) {
            const auto& backend = planned_.backends[member];
            const auto& address = backend.address;
            const auto host =
                address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
            backends.push_back(
                {host + ":" + std::to_string(backend.port) + "/" + protocol_word(port_.protocol),
                 count});
        }
        std::vector<std::uint32_t> content = maglev_table(backends);
        for (auto& entry : content) {
            entry = ids_[members[entry].first];
        }
        return content;
    }

    static bool contains(const std::vector<weir_source_range>& ranges,
                         const weir_source_range& range) {
        return std::ranges::any_of(ranges, [&](const auto& one) { return is_same(one, range); });
    }

    // What the port had and has no more.
    void drop_old() {
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
        for (const auto& key : before_->backends) {
            if (std::ranges::find(port_.backends, key) == port_.backends.end()) {
                owner_.backends_.remove(key, owner_.next_);
            }
        }
    }

    struct Claim {
        weir_service_key key;
        ClaimRank rank;
        weir_service value;
    };

    ServiceCompiler& owner_;
    const ServicePlan& plan_;
    const PlannedPort& planned_;
    CompiledPort* before_;
    CompiledPort port_;
    std::vector<std::uint32_t> ids_; // of planned_.backends; 0: there was no room
    std::vector<Claim> claims_;
    bool has_room_ = true;
};

ServiceCompiler::ServiceCompiler(Symbol node, const ServiceLimits& limits)
    : limits_(limits), index_(std::move(node)), backends_(limits.backends), slots_(limits.slots) {}

void ServiceCompiler::adopt(const ServiceState& state) {
    for (const auto& [key, value] : state.services) {
        claims_.assume(key, value);
        if (value.id != 0) {
            ids_.reserve(value.id);
            adopted_ids_.insert(value.id);
        }
    }
    slots_.adopt(state.slots);
    backends_.adopt(state.backends);
    for (const auto& [id, backend] : state.backends) {
        ids_.reserve(backend.service);
        adopted_ids_.insert(backend.service);
    }
    adopted_sources_ = state.sources;
}

ServiceTransaction ServiceCompiler::compile() {
    for (const auto& name : index_.take_dirty()) {
        compile_service(name);
    }
    if (!std::exchange(is_swept_, true)) {
        sweep();
    }
    for (auto& [key, value] : claims_.take_changes()) {
        if (value) {
            next_.services.emplace_back(key, *value);
        } else {
            next_.gone_services.push_back(key);
        }
    }
    return std::exchange(next_, {});
}

void ServiceCompiler::compile_service(const ObjectName& name) {
    const auto plan = plan_service(index_, name);
    misfits_.erase(name);
    CompiledService compiled;
    auto& before = compiled_[name];
    const bool fits = has_room(name, plan);
    if (fits) {
        for (const auto& port : plan.ports) {
            const auto is_port = [&](const CompiledPort& one) {
                return one.port == port.port.port && one.protocol == port.port.protocol;
            };
            const auto known = std::ranges::find_if(before.ports, is_port);
            auto* old = known == before.ports.end() ? nullptr : &*known;
            compiled.ports.push_back(PortCompiler(*this, plan, port, old).compile());
            if (old != nullptr) before.ports.erase(known);
        }
        claim_wildcards(name, plan, compiled);
    }
    for (auto& port : before.ports) {
        retire(name, port);
    }
    for (const auto& key : before.wildcards) {
        const auto is_key = [&](const auto& one) { return ServiceKeyEqual{}(one, key); };
        if (std::ranges::none_of(compiled.wildcards, is_key)) claims_.drop(key, name);
    }
    if (compiled.ports.empty() && compiled.wildcards.empty()) {
        compiled_.erase(name);
    } else {
        before = std::move(compiled);
    }
}

// A Service that a map has no room for keeps its frontends out of the kernel, all of them: half a
// Service would refuse what another proxy could serve.
bool ServiceCompiler::has_room(const ObjectName& name, const ServicePlan& plan) {
    std::size_t frontends = plan.wildcards.size();
    std::size_t backends = 0;
    std::size_t slots = 0;
    std::size_t sources = 0;
    for (const auto& port : plan.ports) {
        frontends += port.frontends.size();
        backends += port.backends.size();
        slots += port.backends.size();
        sources += plan.service->source_ranges.size();
    }
    const auto known = compiled_.find(name);
    if (known != compiled_.end()) { // what it has is its own
        for (const auto& port : known->second.ports) {
            frontends -= std::min(frontends, port.frontends.size());
            backends -= std::min(backends, port.backends.size());
            slots -= std::min(slots, port.backends.size());
            sources -= std::min(sources, port.sources.size());
        }
    }
    if (claims_.size() + frontends > limits_.services) {
        refuse(name, "weir_services", limits_.services);
    } else if (backends_.used() + backends >= limits_.backends) {
        refuse(name, "weir_backends", limits_.backends);
    } else if (slots_.used() + slots > limits_.slots) {
        refuse(name, "weir_slots", limits_.slots);
    } else if (sources_ + sources > limits_.sources) {
        refuse(name, "weir_sources", limits_.sources);
    } else {
        return true;
    }
    return false;
}

void ServiceCompiler::refuse(const ObjectName& name, const char* map, std::uint32_t limit) {
    misfits_.insert_or_assign(name, ServiceMisfit{name, map, limit});
}

void ServiceCompiler::retire(const ObjectName& name, CompiledPort& port) {
    for (const auto& key : port.frontends) {
        claims_.drop(key, name);
    }
    for (const auto& set : port.sets) {
        slots_.give_back(set.range);
    }
    for (const auto& range : port.sources) {
        next_.gone_sources.push_back(range);
        --sources_;
    }
    for (const auto& key : port.backends) {
        backends_.remove(key, next_);
    }
    retired_.push_back(port.id);
}

void ServiceCompiler::claim_wildcards(const ObjectName& name, const ServicePlan& plan,
                                      CompiledService& compiled) {
    weir_service value{};
    value.flags = WEIR_SERVICE_DROP;
    for (const auto& wildcard : plan.wildcards) {
        const auto key = wildcard_key(wildcard.address, wildcard.scope);
        claims_.set(key, name, {false, plan.service->created}, value);
        compiled.wildcards.push_back(key);
    }
}

// That of an earlier agent if one of the frontends had one, and nobody else took it.
std::uint32_t ServiceCompiler::take_service_id(const PlannedPort& port) {
    for (const auto& frontend : port.frontends) {
        const auto* before = claims_.find(
            frontend_key(frontend.address, frontend.port, port.port.protocol, frontend.scope));
        if (before != nullptr && adopted_ids_.erase(before->id) != 0) {
            return before->id;
        }
    }
    return ids_.take();
}

// Everything was read: what an earlier agent left and nobody wants goes.
void ServiceCompiler::sweep() {
    backends_.sweep(next_);
    slots_.sweep();
    for (const auto id : adopted_ids_) {
        retired_.push_back(id);
    }
    adopted_ids_.clear();
    for (const auto& range : adopted_sources_) {
        const auto is_wanted = std::ranges::any_of(
            next_.new_sources, [&](const auto& one) { return is_same(one, range); });
        if (!is_wanted) next_.gone_sources.push_back(range);
    }
    adopted_sources_.clear();
}

std::uint64_t ServiceCompiler::written() {
    const auto number = slots_.begin_wait();
    backends_.begin_wait(number);
    if (!retired_.empty()) {
        retiring_[number] = std::exchange(retired_, {});
    }
    return number;
}

void ServiceCompiler::reclaim(std::uint64_t number) {
    reclaimed_ = number;
    slots_.end_wait(number);
    while (!retiring_.empty() && retiring_.begin()->first <= number) {
        for (const auto id : retiring_.begin()->second) {
            ids_.give_back(id);
        }
        retiring_.erase(retiring_.begin());
    }
    for (const auto& [name, misfit] : misfits_) { // there is room now, perhaps
        index_.touch(name);
    }
}

ServiceUsage ServiceCompiler::usage() const {
    return {static_cast<std::uint32_t>(claims_.size()), slots_.used(), backends_.used(), sources_};
}

std::vector<ServiceMisfit> ServiceCompiler::misfits() const {
    std::vector<ServiceMisfit> misfits;
    for (const auto& [name, misfit] : misfits_) {
        misfits.push_back(misfit);
    }
    std::ranges::sort(misfits, [](const ServiceMisfit& a, const ServiceMisfit& b) {
        return is_before(a.service, b.service);
    });
    return misfits;
}

std::uint32_t ServiceCompiler::service_id(const ObjectName& service,
                                          const ServicePort& port) const {
    const auto compiled = compiled_.find(service);
    if (compiled == compiled_.end()) {
        return 0;
    }
    for (const auto& one : compiled->second.ports) {
        if (one.port == port.port && one.protocol == port.protocol) {
            return one.id;
        }
    }
    return 0;
}

std::uint32_t ServiceCompiler::backend_id(std::uint32_t service_id, const PlannedBackend& backend,
                                          std::uint8_t protocol) const {
    return backends_.find({service_id, backend.address, backend.port, protocol});
}

} // namespace weir
