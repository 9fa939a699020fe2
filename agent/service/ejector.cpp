// SPDX-License-Identifier: Apache-2.0
#include "agent/service/ejector.h"

#include <arpa/inet.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <numeric>
#include <utility>

#include "loader/service_dataplane.h"
#include "policy/service_compiler.h"

namespace weir {
namespace {

// A backend that fails is out at once, as soon as people can tell.
constexpr std::chrono::milliseconds kLookEvery{100};

OutlierDetector::Backend read(const ServiceMaps& maps, std::uint32_t id) {
    const weir_backend& backend = maps.backends[id];
    const auto state = __atomic_load_n(&backend.state, __ATOMIC_RELAXED);
    const auto failures = __atomic_load_n(&backend.failures, __ATOMIC_RELAXED);
    // One that drains is out already, and takes nobody's room among the ejected.
    return {id, backend.generation, state == WEIR_BACKEND_ACTIVE ? failures : 0,
            state == WEIR_BACKEND_EJECTED};
}

// From one state to the other, and from no third one: a backend that drains goes on doing so.
bool move(weir_backend& backend, weir_backend_state from, weir_backend_state to) {
    auto expected = static_cast<__u8>(from);
    return __atomic_compare_exchange_n(&backend.state, &expected, static_cast<__u8>(to), false,
                                       __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

std::vector<std::uint32_t> backends_of(const std::vector<WatchedPool>& pools) {
    std::vector<std::uint32_t> ids;
    for (const auto& pool : pools)
        ids.insert(ids.end(), pool.backends.begin(), pool.backends.end());
    std::ranges::sort(ids);
    return ids;
}

std::string name_of(const weir_backend& backend) {
    return Address::from_abi(backend.address).to_string(ntohs(backend.port));
}

} // namespace

Ejector::Ejector(boost::asio::io_context& context, const ServiceCompiler& compiler,
                 ServiceDataplane& dataplane, std::string cgroup)
    : timer_(context), compiler_(compiler), dataplane_(dataplane), cgroup_(std::move(cgroup)) {}

std::vector<WatchedPool> Ejector::wanted() const {
    return cgroup_.empty() ? std::vector<WatchedPool>() : compiler_.watched_pools();
}

bool Ejector::is_watching() const {
    return !pools_.empty();
}

bool Ejector::is_current() const {
    return is_known_ && is_counted_ == is_watching() && pools_ == wanted();
}

Result<> Ejector::update() {
    const auto before = std::exchange(pools_, wanted());
    if (!is_watching())
        timer_.cancel();
    else if (before.empty())
        look_soon(); // counted or not: those that are ejected come back
    auto returned = return_unwatched(is_known_ ? backends_of(before) : all_backends());
    is_known_ = returned.has_value();
    if (!returned) return returned;
    if (is_counted_ == is_watching()) return {};
    auto done = is_watching() ? dataplane_.watch_health(cgroup_) : dataplane_.ignore_health();
    if (done) is_counted_ = is_watching();
    return done;
}

void Ejector::look_soon() {
    timer_.expires_after(kLookEvery);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error || !is_watching()) return;
        look();
        look_soon();
    });
}

void Ejector::look() {
    const auto& backends = dataplane_.maps().backends;
    if (auto acquired = backends.acquire(); !acquired) return;
    const auto now = OutlierDetector::Clock::now();
    for (const auto& pool : pools_)
        look_at(pool, now);
    backends.release();
    detector_.forget_unseen();
}

void Ejector::look_at(const WatchedPool& pool, OutlierDetector::Clock::time_point now) {
    const auto& maps = dataplane_.maps();
    std::vector<OutlierDetector::Backend> states;
    states.reserve(pool.backends.size());
    for (const auto id : pool.backends)
        states.push_back(read(maps, id));
    for (const auto& decision : detector_.look(pool.outliers, states, now)) {
        weir_backend& backend = maps.backends[decision.id];
        if (decision.is_ejected) {
            if (!move(backend, WEIR_BACKEND_ACTIVE, WEIR_BACKEND_EJECTED)) continue;
            ++ejections_;
            spdlog::warn("Service {}: backend {} is ejected after {} failures in a row",
                         pool.service.to_string(), name_of(backend), decision.failures);
        } else {
            __atomic_store_n(&backend.failures, decision.failures, __ATOMIC_RELAXED);
            if (!move(backend, WEIR_BACKEND_EJECTED, WEIR_BACKEND_ACTIVE)) continue;
            spdlog::info("Service {}: backend {} is on trial again", pool.service.to_string(),
                         name_of(backend));
        }
    }
}

// An earlier agent may have ejected any.
std::vector<std::uint32_t> Ejector::all_backends() const {
    std::vector<std::uint32_t> ids(dataplane_.maps().backends.size());
    std::iota(ids.begin(), ids.end(), 0);
    return ids;
}

// Nobody asks for the ejection of these any more, unless a pool has them.
Result<> Ejector::return_unwatched(const std::vector<std::uint32_t>& candidates) const {
    const auto& backends = dataplane_.maps().backends;
    if (candidates.empty()) return {};
    if (auto acquired = backends.acquire(); !acquired) return acquired;
    const auto watched = backends_of(pools_);
    for (const auto id : candidates) {
        if (!std::ranges::binary_search(watched, id)) {
            move(backends[id], WEIR_BACKEND_EJECTED, WEIR_BACKEND_ACTIVE);
        }
    }
    backends.release();
    return {};
}

} // namespace weir
