// SPDX-License-Identifier: Apache-2.0
// What the agent knows of the cluster beside what policy needs: who has an address, what is called
// how, and which policies there are. For flows, status, explain and the policy commands.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/hash.h"
#include "policy/model.h"

namespace weir {

// Who has an address.
struct AddressOwner {
    ObjectName pod; // both empty when it is a node's
    Symbol node;    // of the node's address, else empty

    bool operator==(const AddressOwner&) const = default;
};

class Inventory {
public:
    explicit Inventory(const std::string& node_name) : node_name_(node_name) {}

    void apply(const Change& change);

    const AddressOwner* owner_of(const Address& address) const;
    const Pod* pod(const ObjectName& name) const;
    const std::vector<Address>* node_addresses(const Symbol& name) const;
    // By "namespace/name".
    const std::map<std::string, std::shared_ptr<const NetworkPolicy>>& policies() const {
        return policies_;
    }
    // Objects of a kind, indexed by Kind.
    const std::array<std::uint32_t, kKinds.size()>& counts() const { return counts_; }
    const Symbol& node_name() const { return node_name_; }

private:
    void put(const Namespace& object);
    void put(const Node& object);
    void put(std::shared_ptr<const Pod> object);
    void put(std::shared_ptr<const NetworkPolicy> object);
    void erase(const ObjectKey& key);
    void give_up(const std::vector<Address>& addresses, const AddressOwner& owner);
    std::uint32_t& count(Kind kind) { return counts_[static_cast<std::size_t>(kind)]; }

    Symbol node_name_;
    std::unordered_map<Address, AddressOwner> owners_;
    std::unordered_map<ObjectName, std::shared_ptr<const Pod>, ObjectNameHash> pods_;
    std::map<std::string, std::vector<Address>> nodes_;
    std::map<std::string, bool> namespaces_;
    std::map<std::string, std::shared_ptr<const NetworkPolicy>> policies_;
    std::array<std::uint32_t, kKinds.size()> counts_{};
};

} // namespace weir
