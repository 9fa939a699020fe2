// SPDX-License-Identifier: Apache-2.0
#include "agent/inventory.h"

#include <utility>

namespace weir {
namespace {

template <typename Typed, typename Map, typename Key>
const Typed* find(const Map& map, const Key& key) {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : std::get_if<Typed>(&*found->second);
}

// True when there was none before.
template <typename Map, typename Key>
bool replace(Map& map, const Key& key, const SharedObject& object) {
    return map.insert_or_assign(key, object).second;
}

} // namespace

void Inventory::apply(const Change& change) {
    for (const auto& key : change.erasures)
        erase(key);
    for (const auto& object : change.upserts)
        put(object);
}

const AddressOwner* Inventory::owner_of(const Address& address) const {
    const auto found = owners_.find(address);
    return found == owners_.end() ? nullptr : &found->second;
}

const Namespace* Inventory::ns(const Symbol& name) const {
    return find<Namespace>(namespaces_, name);
}

const Pod* Inventory::pod(const ObjectName& name) const {
    return find<Pod>(pods_, name);
}

const std::vector<Address>* Inventory::node_addresses(const Symbol& name) const {
    const auto* node = find<Node>(nodes_, name);
    return node == nullptr ? nullptr : &node->addresses;
}

std::vector<SharedObject> Inventory::objects() const {
    std::vector<SharedObject> objects;
    objects.reserve(namespaces_.size() + nodes_.size() + pods_.size() + policies_.size());
    const auto add = [&objects](const auto& map) {
        for (const auto& [key, object] : map)
            objects.push_back(object);
    };
    add(namespaces_);
    add(nodes_);
    add(pods_);
    add(policies_);
    return objects;
}

void Inventory::put(const SharedObject& object) {
    const ObjectKey key = key_of(object);
    switch (key.kind) {
        case Kind::kNamespace:
            if (replace(namespaces_, key.name.name, object)) ++count(key.kind);
            return;
        case Kind::kNode:
            return put_node(object, std::get<Node>(*object));
        case Kind::kPod:
            return put_pod(object, std::get<Pod>(*object));
        case Kind::kNetworkPolicy:
        case Kind::kClusterNetworkPolicy:
        case Kind::kAdminNetworkPolicy:
        case Kind::kBaselineAdminNetworkPolicy:
        case Kind::kAuthorizationPolicy:
            if (replace(policies_, key, object)) ++count(key.kind);
            return;
        case Kind::kService:
        case Kind::kEndpointSlice:
        case Kind::kHttpRoute:
        case Kind::kGrpcRoute:
        case Kind::kTcpRoute:
        case Kind::kReferenceGrant:
        case Kind::kDestinationRule:
            return; // kept by who compiles them
    }
}

void Inventory::put_node(const SharedObject& object, const Node& node) {
    const AddressOwner owner{.pod = {}, .node = node.name};
    if (const auto* before = node_addresses(node.name)) give_up(*before, owner);
    if (replace(nodes_, node.name, object)) ++count(Kind::kNode);
    for (const auto& address : node.addresses)
        owners_.insert_or_assign(address, owner);
}

void Inventory::put_pod(const SharedObject& object, const Pod& pod) {
    const AddressOwner owner{.pod = pod.name, .node = {}};
    if (const auto* before = this->pod(pod.name)) give_up(before->addresses, owner);
    if (replace(pods_, pod.name, object)) ++count(Kind::kPod);
    // The node's addresses stay the node's, and a finished pod's may be another's already.
    if (pod.is_host_network || pod.is_terminated) return;
    for (const auto& address : pod.addresses)
        owners_.insert_or_assign(address, owner);
}

void Inventory::erase(const ObjectKey& key) {
    std::size_t erased = 0;
    switch (key.kind) {
        case Kind::kNamespace:
            erased = namespaces_.erase(key.name.name);
            break;
        case Kind::kNode:
            if (const auto* addresses = node_addresses(key.name.name)) {
                give_up(*addresses, {.pod = {}, .node = key.name.name});
            }
            erased = nodes_.erase(key.name.name);
            break;
        case Kind::kPod:
            if (const auto* gone = pod(key.name)) {
                give_up(gone->addresses, {.pod = key.name, .node = {}});
            }
            erased = pods_.erase(key.name);
            break;
        case Kind::kNetworkPolicy:
        case Kind::kClusterNetworkPolicy:
        case Kind::kAdminNetworkPolicy:
        case Kind::kBaselineAdminNetworkPolicy:
        case Kind::kAuthorizationPolicy:
            erased = policies_.erase(key);
            break;
        case Kind::kService:
        case Kind::kEndpointSlice:
        case Kind::kHttpRoute:
        case Kind::kGrpcRoute:
        case Kind::kTcpRoute:
        case Kind::kReferenceGrant:
        case Kind::kDestinationRule:
            break;
    }
    if (erased != 0) --count(key.kind);
}

void Inventory::give_up(const std::vector<Address>& addresses, const AddressOwner& owner) {
    for (const auto& address : addresses) {
        const auto found = owners_.find(address);
        if (found != owners_.end() && found->second == owner) owners_.erase(found);
    }
}

} // namespace weir
