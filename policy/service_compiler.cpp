// SPDX-License-Identifier: Apache-2.0
#include "policy/service_compiler.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "policy/service_port_compiler.h"

namespace weir {

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

bool ServiceCompiler::is_watched(const CompiledPort& port) {
    return port.outliers.consecutive != 0;
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
    if (std::ranges::any_of(compiled.ports, is_watched)) {
        watched_.insert(name);
    } else {
        watched_.erase(name);
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
    std::ranges::sort(next_.new_sources, SourceRangeOrder{});
    for (const auto& range : adopted_sources_) {
        if (!std::ranges::binary_search(next_.new_sources, range, SourceRangeOrder{})) {
            next_.gone_sources.push_back(range);
        }
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

std::vector<WatchedPool> ServiceCompiler::watched_pools() const {
    std::vector<WatchedPool> pools;
    for (const auto& name : watched_) {
        for (const auto& port : compiled_.at(name).ports) {
            if (!is_watched(port)) continue;
            for (const bool is_v4 : {true, false}) {
                WatchedPool pool{name, port.outliers, {}};
                for (const auto& key : port.backends) {
                    if (key.address.is_v4() == is_v4) pool.backends.push_back(backends_.find(key));
                }
                if (!pool.backends.empty()) pools.push_back(std::move(pool));
            }
        }
    }
    return pools;
}

} // namespace weir
