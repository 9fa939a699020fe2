// SPDX-License-Identifier: Apache-2.0
// Ids of backends over their life: in use, removed (its connections may live on), free again.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "bpf/abi_service.h"
#include "policy/address.h"
#include "policy/id_pool.h"
#include "policy/service_transaction.h"

namespace weir {

// What a backend is, for ever.
struct BackendKey {
    std::uint32_t service = 0; // id
    Address address;
    std::uint16_t port = 0;
    std::uint8_t protocol = 0;

    bool operator==(const BackendKey&) const = default;
};
struct BackendKeyHash {
    std::size_t operator()(const BackendKey& key) const noexcept;
};

class BackendBook {
public:
    explicit BackendBook(std::uint32_t limit) : limit_(limit) {}

    // What an earlier agent had; those that nobody takes until sweep() are removed by it.
    void adopt(const std::vector<std::pair<std::uint32_t, weir_backend>>& backends);
    void sweep(ServiceTransaction& transaction);

    // The id of the backend; what has to be written of it goes to the transaction. Nothing when
    // no id is free.
    std::optional<std::uint32_t> take(const BackendKey& key, weir_backend_state state,
                                      std::uint32_t max_connections, bool is_local,
                                      ServiceTransaction& transaction);
    // Nobody wants it any more: REMOVED until it is released.
    void remove(const BackendKey& key, ServiceTransaction& transaction);
    // Its connections are gone, and a grace period since: the id is free. False when it came back.
    bool release(std::uint32_t id, ServiceTransaction& transaction);

    // The backend's id; 0 when it has none.
    std::uint32_t find(const BackendKey& key) const;
    // What was removed until now counts as unseen at the end of the wait with this number.
    void begin_wait(std::uint64_t number);
    // Ids that no program can come upon any more, because a wait up to this number is over: each is
    // to be released when its connections are gone.
    std::vector<std::uint32_t> releasable(std::uint64_t number) const;
    std::uint32_t used() const { return ids_.used(); }

private:
    struct Entry {
        BackendUpdate in_force;
        bool is_claimed = true;
    };
    struct Removed {
        BackendKey key;
        std::uint64_t wait = 0; // 0: none has begun
    };
    using Entries = boost::unordered_flat_map<BackendKey, Entry, BackendKeyHash>;

    std::uint32_t limit_;
    IdPool ids_{1};
    std::uint32_t generation_ = 0; // of the id used last
    Entries entries_;
    boost::unordered_flat_map<std::uint32_t, Removed> removed_;
};

} // namespace weir
