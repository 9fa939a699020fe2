// SPDX-License-Identifier: Apache-2.0
// Who has which frontend. Several Services may want one (an external address, a node port by hand):
// the oldest has it, and the next one when that is gone.
#pragma once

#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <compare>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "bpf/abi_service.h"
#include "policy/hash.h"
#include "policy/object_name.h"

namespace weir {

struct ServiceKeyHash {
    std::size_t operator()(const weir_service_key& key) const noexcept;
};
struct ServiceKeyEqual {
    bool operator()(const weir_service_key& a, const weir_service_key& b) const noexcept;
};

// Smaller is stronger.
struct ClaimRank {
    bool is_guest = false; // of an external or load balancer address: a node's own comes first
    std::int64_t created = 0;
};

struct Collision {
    weir_service_key key{};
    ObjectName winner;
    ObjectName loser;
};

class FrontendClaims {
public:
    void set(const weir_service_key& key, const ObjectName& service, ClaimRank rank,
             const weir_service& value);
    void drop(const weir_service_key& key, const ObjectName& service);

    // Keys whose content changed since the last call; nothing: it is gone.
    std::vector<std::pair<weir_service_key, std::optional<weir_service>>> take_changes();
    // As if this was written already: an earlier agent did.
    void assume(const weir_service_key& key, const weir_service& value);

    // What is in force for the key; null when there is nothing.
    const weir_service* find(const weir_service_key& key) const;
    const ObjectName* owner(const weir_service_key& key) const;
    std::vector<Collision> collisions() const;
    std::size_t size() const { return entries_.size(); }

private:
    struct Claim {
        ObjectName service;
        ClaimRank rank;
        weir_service value{};
    };
    struct Entry {
        std::optional<weir_service> in_force;
        boost::container::small_vector<Claim, 1> claims; // the first one has it
    };

    static bool is_stronger(const Claim& a, const Claim& b);
    void touch(const weir_service_key& key);

    boost::unordered_flat_map<weir_service_key, Entry, ServiceKeyHash, ServiceKeyEqual> entries_;
    boost::unordered_flat_set<weir_service_key, ServiceKeyHash, ServiceKeyEqual> contested_;
    boost::unordered_flat_set<weir_service_key, ServiceKeyHash, ServiceKeyEqual> touched_;
};

} // namespace weir
