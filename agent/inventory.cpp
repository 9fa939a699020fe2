// SPDX-License-Identifier: Apache-2.0
#include "agent/inventory.h"

#include <utility>

namespace weir {
namespace {

std::string key_of(const ObjectName& name) {
    return name.ns.get() + "/" + name.name.get();
}

} // namespace

void Inventory::apply(const Change& change) {
    for (const auto& key : change.erasures)
        erase(key);
    for (const auto& object : change.upserts) {
        if (const auto ns = object.as<Namespace>()) put(*ns);
        if (const auto node = object.as<Node>()) put(*node);
        if (auto pod = object.as<Pod>()) put(std::move(pod));
        if (auto policy = object.as<NetworkPolicy>()) put(std::move(policy));
    }
}

const AddressOwner* Inventory::owner_of(const Address& address) const {
    const auto found = owners_.find(address);
    return found == owners_.end() ? nullptr : &found->second;
}

const Pod* Inventory::pod(const ObjectName& name) const {
    const auto found = pods_.find(name);
    return found == pods_.end() ? nullptr : found->second.get();
}

const std::vector<Address>* Inventory::node_addresses(const Symbol& name) const {
    const auto found = nodes_.find(name.get());
    return found == nodes_.end() ? nullptr : &found->second;
}

void Inventory::put(const Namespace& object) {
    if (namespaces_.emplace(object.name.get(), true).second) ++count(Kind::kNamespace);
}

void Inventory::put(const Node& object) {
    const AddressOwner owner{.pod = {}, .node = object.name};
    const auto [entry, is_new] = nodes_.try_emplace(object.name.get());
    if (is_new) ++count(Kind::kNode);
    give_up(entry->second, owner);
    entry->second = object.addresses;
    for (const auto& address : object.addresses)
        owners_.insert_or_assign(address, owner);
}

void Inventory::put(std::shared_ptr<const Pod> object) {
    const AddressOwner owner{.pod = object->name, .node = {}};
    const auto [entry, is_new] = pods_.try_emplace(object->name);
    std::shared_ptr<const Pod>& pod = entry->second;
    if (is_new) {
        ++count(Kind::kPod);
    } else {
        give_up(pod->addresses, owner);
    }
    pod = std::move(object);
    // The node's addresses stay the node's, and a finished pod's may be another's already.
    if (pod->is_host_network || pod->is_terminated) return;
    for (const auto& address : pod->addresses)
        owners_.insert_or_assign(address, owner);
}

void Inventory::put(std::shared_ptr<const NetworkPolicy> object) {
    const std::string key = key_of(object->name);
    if (policies_.insert_or_assign(key, std::move(object)).second) {
        ++count(Kind::kNetworkPolicy);
    }
}

void Inventory::erase(const ObjectKey& key) {
    switch (key.kind) {
        case Kind::kNamespace:
            if (namespaces_.erase(key.name.name.get()) != 0) --count(key.kind);
            return;
        case Kind::kNode:
            if (const auto node = nodes_.extract(key.name.name.get()); !node.empty()) {
                give_up(node.mapped(), {.pod = {}, .node = key.name.name});
                --count(key.kind);
            }
            return;
        case Kind::kPod:
            if (const auto pod = pods_.extract(key.name); !pod.empty()) {
                give_up(pod.mapped()->addresses, {.pod = key.name, .node = {}});
                --count(key.kind);
            }
            return;
        case Kind::kNetworkPolicy:
            if (policies_.erase(key_of(key.name)) != 0) --count(key.kind);
            return;
        case Kind::kClusterNetworkPolicy:
        case Kind::kAdminNetworkPolicy:
        case Kind::kBaselineAdminNetworkPolicy:
        case Kind::kAuthorizationPolicy:
            return;
    }
}

void Inventory::give_up(const std::vector<Address>& addresses, const AddressOwner& owner) {
    for (const auto& address : addresses) {
        const auto found = owners_.find(address);
        if (found != owners_.end() && found->second == owner) owners_.erase(found);
    }
}

} // namespace weir
