// SPDX-License-Identifier: Apache-2.0
#include "policy/frontend_claims.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir {
namespace {

bool is_same(const weir_service& a, const weir_service& b) {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
}

bool is_key_before(const weir_service_key& a, const weir_service_key& b) {
    return std::memcmp(&a, &b, sizeof(a)) < 0;
}

void erase_claim(auto& claims, const ObjectName& service) {
    const auto is_its = [&](const auto& claim) { return claim.service == service; };
    claims.erase(std::remove_if(claims.begin(), claims.end(), is_its), claims.end());
}

} // namespace

std::size_t ServiceKeyHash::operator()(const weir_service_key& key) const noexcept {
    std::uint64_t words[3];
    static_assert(sizeof(words) == sizeof(key));
    std::memcpy(words, &key, sizeof(key));
    return WordsHash{}(words);
}

bool ServiceKeyEqual::operator()(const weir_service_key& a,
                                 const weir_service_key& b) const noexcept {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
}

bool FrontendClaims::is_stronger(const Claim& a, const Claim& b) {
    if (a.rank.is_guest != b.rank.is_guest) {
        return !a.rank.is_guest;
    }
    if (a.rank.created != b.rank.created) {
        return a.rank.created < b.rank.created;
    }
    return is_before(a.service, b.service);
}

void FrontendClaims::touch(const weir_service_key& key) {
    touched_.insert(key);
}

void FrontendClaims::set(const weir_service_key& key, const ObjectName& service, ClaimRank rank,
                         const weir_service& value) {
    auto& claims = entries_[key].claims;
    erase_claim(claims, service);
    Claim claim{service, rank, value};
    claims.insert(std::ranges::upper_bound(claims, claim, is_stronger), std::move(claim));
    if (claims.size() > 1 && key.protocol != 0) { // several may keep one address for themselves
        contested_.insert(key);
    }
    touch(key);
}

void FrontendClaims::drop(const weir_service_key& key, const ObjectName& service) {
    const auto entry = entries_.find(key);
    if (entry == entries_.end()) {
        return;
    }
    auto& claims = entry->second.claims;
    erase_claim(claims, service);
    if (claims.size() < 2) {
        contested_.erase(key);
    }
    touch(key);
}

std::vector<std::pair<weir_service_key, std::optional<weir_service>>>
FrontendClaims::take_changes() {
    std::vector<weir_service_key> keys(touched_.begin(), touched_.end());
    touched_ = {};
    std::ranges::sort(keys, is_key_before);
    std::vector<std::pair<weir_service_key, std::optional<weir_service>>> changes;
    for (const auto& key : keys) {
        const auto found = entries_.find(key);
        if (found == entries_.end()) {
            continue;
        }
        auto& entry = found->second;
        if (entry.claims.empty()) {
            if (entry.in_force) {
                changes.emplace_back(key, std::nullopt);
            }
            entries_.erase(found);
        } else if (const auto& value = entry.claims.front().value;
                   !entry.in_force || !is_same(*entry.in_force, value)) {
            changes.emplace_back(key, value);
            entry.in_force = value;
        }
    }
    return changes;
}

void FrontendClaims::assume(const weir_service_key& key, const weir_service& value) {
    entries_[key].in_force = value;
    touch(key); // gone with the first change, if nobody claims it
}

const weir_service* FrontendClaims::find(const weir_service_key& key) const {
    const auto entry = entries_.find(key);
    return entry == entries_.end() || !entry->second.in_force ? nullptr : &*entry->second.in_force;
}

const ObjectName* FrontendClaims::owner(const weir_service_key& key) const {
    const auto entry = entries_.find(key);
    return entry == entries_.end() || entry->second.claims.empty()
               ? nullptr
               : &entry->second.claims.front().service;
}

std::vector<Collision> FrontendClaims::collisions() const {
    std::vector<Collision> collisions;
    for (const auto& key : contested_) {
        const auto& claims = entries_.at(key).claims;
        for (std::size_t i = 1; i < claims.size(); ++i) {
            collisions.push_back({key, claims[0].service, claims[i].service});
        }
    }
    std::ranges::sort(collisions, [](const Collision& a, const Collision& b) {
        return a.loser != b.loser ? is_before(a.loser, b.loser) : is_key_before(a.key, b.key);
    });
    return collisions;
}

} // namespace weir
