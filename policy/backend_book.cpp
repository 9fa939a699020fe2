// SPDX-License-Identifier: Apache-2.0
#include "policy/backend_book.h"

#include <arpa/inet.h>

#include <algorithm>

#include "policy/hash.h"

namespace weir {

std::size_t BackendKeyHash::operator()(const BackendKey& key) const noexcept {
    Hasher hasher;
    hasher.add(std::hash<Address>{}(key.address));
    hasher.add((std::uint64_t{key.service} << 24) | (std::uint64_t{key.port} << 8) | key.protocol);
    return hasher.result();
}

void BackendBook::adopt(const std::vector<std::pair<std::uint32_t, weir_backend>>& backends) {
    for (const auto& [id, backend] : backends) {
        ids_.reserve(id);
        generation_ = std::max(generation_, backend.generation);
        // Ejection is an overlay of the kernel's: to whoever decides, the backend is active.
        const auto state = backend.state == WEIR_BACKEND_EJECTED
                               ? WEIR_BACKEND_ACTIVE
                               : static_cast<weir_backend_state>(backend.state);
        const BackendKey key{backend.service, Address::from_abi(backend.address),
                             ntohs(backend.port), backend.protocol};
        entries_.insert_or_assign(
            key, Entry{{id, state, backend.max_connections, backend.is_local != 0}, false});
    }
}

void BackendBook::sweep(ServiceTransaction& transaction) {
    std::vector<BackendKey> unclaimed;
    for (const auto& [key, entry] : entries_) {
        if (!entry.is_claimed) {
            unclaimed.push_back(key);
        }
    }
    for (const auto& key : unclaimed) {
        remove(key, transaction);
    }
}

std::optional<std::uint32_t> BackendBook::take(const BackendKey& key, weir_backend_state state,
                                               std::uint32_t max_connections, bool is_local,
                                               ServiceTransaction& transaction) {
    const auto known = entries_.find(key);
    if (known != entries_.end()) {
        auto& entry = known->second;
        entry.is_claimed = true;
        removed_.erase(entry.in_force.id);
        const BackendUpdate update{entry.in_force.id, state, max_connections, is_local};
        if (update != entry.in_force) {
            transaction.backends.push_back(update);
            entry.in_force = update;
        }
        return update.id;
    }
    if (ids_.used() + 1 >= limit_) {
        return std::nullopt;
    }
    const auto id = ids_.take();
    weir_backend backend{};
    backend.address = key.address.to_abi();
    backend.port = htons(key.port);
    backend.protocol = key.protocol;
    backend.state = static_cast<__u8>(state);
    backend.service = key.service;
    backend.generation = ++generation_;
    backend.max_connections = max_connections;
    backend.is_local = is_local ? 1 : 0;
    transaction.new_backends.emplace_back(id, backend);
    entries_.emplace(key, Entry{{id, state, max_connections, is_local}, true});
    return id;
}

void BackendBook::remove(const BackendKey& key, ServiceTransaction& transaction) {
    const auto known = entries_.find(key);
    if (known == entries_.end()) {
        return;
    }
    auto& in_force = known->second.in_force;
    removed_.insert_or_assign(in_force.id, Removed{key, 0});
    known->second.is_claimed = true;
    if (in_force.state != WEIR_BACKEND_REMOVED) {
        in_force.state = WEIR_BACKEND_REMOVED;
        transaction.backends.push_back(in_force);
    }
}

bool BackendBook::release(std::uint32_t id, ServiceTransaction& transaction) {
    const auto removed = removed_.find(id);
    if (removed == removed_.end()) {
        return false;
    }
    transaction.free_backends.push_back(id);
    entries_.erase(removed->second.key);
    removed_.erase(removed);
    ids_.give_back(id);
    return true;
}

std::uint32_t BackendBook::find(const BackendKey& key) const {
    const auto known = entries_.find(key);
    return known == entries_.end() ? 0 : known->second.in_force.id;
}

void BackendBook::begin_wait(std::uint64_t number) {
    for (auto& [id, removed] : removed_) {
        if (removed.wait == 0) {
            removed.wait = number;
        }
    }
}

std::vector<std::uint32_t> BackendBook::releasable(std::uint64_t number) const {
    std::vector<std::uint32_t> ids;
    for (const auto& [id, removed] : removed_) {
        if (removed.wait != 0 && removed.wait <= number) {
            ids.push_back(id);
        }
    }
    std::ranges::sort(ids);
    return ids;
}

} // namespace weir
