// SPDX-License-Identifier: Apache-2.0
// What the agent knows of the cluster beside what policy needs: who has an address, what is called
// how, and which policies there are. For flows, status, explain, previews and the policy commands.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
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

// By kind as listed in the model, then by namespace and name.
struct ObjectKeyOrder {
    bool operator()(const ObjectKey& a, const ObjectKey& b) const {
        return a.kind != b.kind ? a.kind < b.kind : is_before(a.name, b.name);
    }
};

class Inventory {
public:
    using Pods = boost::unordered_flat_map<ObjectName, SharedObject, ObjectNameHash>;
    using Policies = std::map<ObjectKey, SharedObject, ObjectKeyOrder>;

    explicit Inventory(const std::string& node_name) : node_name_(node_name) {}

    void apply(const Change& change);

    const AddressOwner* owner_of(const Address& address) const;
    const Namespace* ns(const Symbol& name) const;
    const Pod* pod(const ObjectName& name) const;
    const std::vector<Address>* node_addresses(const Symbol& name) const;
    const Pods& pods() const { return pods_; }
    const std::unordered_map<Symbol, SharedObject, SymbolHash>& nodes() const { return nodes_; }
    // Of every kind.
    const Policies& policies() const { return policies_; }
    // Everything that was applied, as it stands now: cheap to copy, it is shared.
    std::vector<SharedObject> objects() const;
    // Objects of a kind, indexed by Kind.
    const std::array<std::uint32_t, kKinds.size()>& counts() const { return counts_; }
    const Symbol& node_name() const { return node_name_; }

private:
    void put(const SharedObject& object);
    void put_node(const SharedObject& object, const Node& node);
    void put_pod(const SharedObject& object, const Pod& pod);
    void erase(const ObjectKey& key);
    void give_up(const std::vector<Address>& addresses, const AddressOwner& owner);
    std::uint32_t& count(Kind kind) { return counts_[static_cast<std::size_t>(kind)]; }

    Symbol node_name_;
    // Flat: they have an element a pod or more, which in a node of its own costs half as much
    // again.
    boost::unordered_flat_map<Address, AddressOwner, std::hash<Address>> owners_;
    Pods pods_;
    std::unordered_map<Symbol, SharedObject, SymbolHash> nodes_;
    std::unordered_map<Symbol, SharedObject, SymbolHash> namespaces_;
    Policies policies_;
    std::array<std::uint32_t, kKinds.size()> counts_{};
};

} // namespace weir
