// SPDX-License-Identifier: Apache-2.0
#include "policy/desired.h"

#include <algorithm>
#include <iterator>

#include "policy/sort_unique.h"

namespace weir {
namespace {

// The first change of a large cluster lists all of it, later ones next to nothing.
template <typename Value>
void empty(std::vector<Value>& values) {
    values = std::vector<Value>();
}

std::vector<Address> sorted(std::vector<Address> addresses) {
    sort_unique(addresses);
    return addresses;
}

} // namespace

void Desired::apply(const Change& change) {
    // Erasures first: an object may be replaced by one that takes over its address.
    for (const auto& key : change.erasures) {
        erase(key);
    }
    for (const auto& object : change.upserts) {
        if (const auto ns = object.as<Namespace>()) {
            upsert(*ns);
        } else if (auto pod = object.as<Pod>()) {
            upsert(std::move(pod));
        } else if (auto policy = object.as<NetworkPolicy>()) {
            upsert(std::move(policy));
        } else if (auto node = object.as<Node>()) {
            upsert(std::move(node));
        } else if (auto tier = object.as<TierPolicy>()) {
            upsert(key_of(object), std::move(tier));
        } else if (auto authorization = object.as<AuthorizationPolicy>()) {
            upsert(std::move(authorization));
        }
    }
}

void Desired::upsert(const Namespace& ns) {
    auto& record = objects_.ns(ns.name);
    const bool is_changed = record.labels != ns.labels;
    objects_.set_labels(record, ns.labels, true);
    if (is_changed) {
        touch_pods(record);
    }
    if (record.is_audited != ns.is_audited) {
        record.is_audited = ns.is_audited;
        touch_slots(record.slots);
    }
}

// Its labels are others: for selectors of peers, and for those of tier policies' subjects.
void Desired::touch_pods(const NamespaceRecord& ns) {
    for (const auto id : ns.pods) {
        touch(*objects_.find_pod(id));
    }
    if (!policies_.tiers().is_empty()) {
        touch_slots(ns.slots);
    }
}

void Desired::upsert(std::shared_ptr<const Pod> pod) {
    auto& record = objects_.pod(pod->name);
    const bool is_changed =
        !record.is_known() || record.object->is_host_network != pod->is_host_network ||
        record.object->labels != pod->labels || record.object->ports != pod->ports ||
        record.object->service_account != pod->service_account;
    set_object(record, std::move(pod));
    if (is_changed) {
        touch(record);
        touch_slots(record.slots);
    }
}

void Desired::upsert(std::shared_ptr<const NetworkPolicy> policy) {
    auto& ns = objects_.ns(policy->name.ns);
    if (policies_.policies().upsert(ns, std::move(policy))) {
        touch_slots(ns.slots);
    }
}

void Desired::upsert(std::shared_ptr<const Node> node) {
    const auto before = nodes_.upsert(node);
    if (before && before->labels == node->labels && before->addresses == node->addresses) {
        return;
    }
    if (before) {
        touch_addresses(*before);
    }
    touch_addresses(*node);
}

void Desired::upsert(const ObjectKey& key, std::shared_ptr<const TierPolicy> policy) {
    const auto before = policies_.tiers().upsert(key, policy);
    if (before == policy) {
        return;
    }
    touch_selected(
        [&](const PodRecord& pod) {
            return TierIndex::selects(*policy, pod) || (before && TierIndex::selects(*before, pod));
        },
        TierIndex::changed_directions(before.get(), *policy));
}

void Desired::upsert(std::shared_ptr<const AuthorizationPolicy> policy) {
    auto& ns = objects_.ns(policy->name.ns);
    const auto before = policies_.authorizations().upsert(ns, policy);
    if (before == policy) {
        return;
    }
    touch_selected(ns, policy.get());
    touch_selected(ns, before.get());
}

// Slots of pods that the policy selects.
template <typename IsSelected>
void Desired::touch_selected(IsSelected is_selected, Directions directions) {
    for (const auto& [number, slot] : slots_) {
        if (slot.pod != nullptr && is_selected(*slot.pod)) {
            touch_slot(number, directions);
        }
    }
}

void Desired::touch_selected(const NamespaceRecord& ns, const AuthorizationPolicy* policy) {
    if (policy == nullptr) {
        return;
    }
    if (ns.name == root_namespace_) {
        touch_selected(
            [&](const PodRecord& pod) { return AuthorizationIndex::selects(*policy, pod); });
        return;
    }
    for (const auto number : ns.slots) {
        if (AuthorizationIndex::selects(*policy, *slots_[number].pod)) {
            touch_slot(number);
        }
    }
}

void Desired::erase(const ObjectKey& key) {
    switch (key.kind) {
        case Kind::kNamespace:
            return erase_namespace(key.name.name);
        case Kind::kNode:
            if (const auto node = nodes_.erase(key.name.name)) {
                touch_addresses(*node);
            }
            return;
        case Kind::kPod:
            return erase_pod(key.name);
        case Kind::kNetworkPolicy:
            return erase_network_policy(key.name);
        case Kind::kClusterNetworkPolicy:
        case Kind::kAdminNetworkPolicy:
        case Kind::kBaselineAdminNetworkPolicy:
            if (const auto policy = policies_.tiers().erase(key)) {
                touch_selected(
                    [&](const PodRecord& pod) { return TierIndex::selects(*policy, pod); });
            }
            return;
        case Kind::kAuthorizationPolicy:
            return erase_authorization_policy(key.name);
        case Kind::kService:
        case Kind::kEndpointSlice:
        case Kind::kHttpRoute:
        case Kind::kGrpcRoute:
        case Kind::kTcpRoute:
        case Kind::kReferenceGrant:
        case Kind::kDestinationRule:
            return; // not policy's business
    }
}

void Desired::erase_network_policy(const ObjectName& name) {
    if (auto* ns = objects_.find_ns(name.ns)) {
        if (policies_.policies().erase(*ns, name.name)) {
            touch_slots(ns->slots);
        }
        objects_.drop_if_idle(*ns);
    }
}

void Desired::erase_authorization_policy(const ObjectName& name) {
    if (auto* ns = objects_.find_ns(name.ns)) {
        const auto policy = policies_.authorizations().erase(*ns, name.name);
        touch_selected(*ns, policy.get());
        objects_.drop_if_idle(*ns);
    }
}

void Desired::erase_namespace(const Symbol& name) {
    auto* ns = objects_.find_ns(name);
    if (ns == nullptr) {
        return;
    }
    objects_.set_labels(*ns, {}, false);
    touch_pods(*ns);
    if (ns->is_audited) {
        ns->is_audited = false;
        touch_slots(ns->slots);
    }
    objects_.drop_if_idle(*ns);
}

void Desired::erase_pod(const ObjectName& name) {
    auto* pod = objects_.find_pod(name);
    if (pod == nullptr) {
        return;
    }
    set_object(*pod, nullptr);
    if (!objects_.drop_if_idle(*pod)) {
        touch(*pod);
        touch_slots(pod->slots);
    }
}

void Desired::set_object(PodRecord& pod, std::shared_ptr<const Pod> object) {
    const auto before = sorted(pod.addresses());
    objects_.set_object(pod, std::move(object));
    const auto after = sorted(pod.addresses());
    std::vector<Address> gone;
    std::set_difference(before.begin(), before.end(), after.begin(), after.end(),
                        std::back_inserter(gone));
    std::vector<Address> come;
    std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                        std::back_inserter(come));
    for (const auto& address : gone) {
        disclaim(pod, address, AddressRecord::kStatus);
    }
    for (const auto& address : come) {
        claim(pod, address, AddressRecord::kStatus);
    }
}

void Desired::claim(PodRecord& pod, const Address& address, std::uint32_t slot) {
    touch(*addresses_.claim(address, &pod, slot));
}

void Desired::disclaim(PodRecord& pod, const Address& address, std::uint32_t slot) {
    if (auto* node = addresses_.disclaim(address, &pod, slot)) {
        touch(*node);
    }
}

void Desired::set_local(const LocalPod& local) {
    erase_local(local.slot);
    auto& pod = objects_.pod(local.pod);
    auto& slot = slots_[local.slot];
    slot.pod = &pod;
    slot.addresses = local.addresses;
    for (const auto& address : slot.addresses) {
        claim(pod, address, local.slot);
    }
    insert_sorted(pod.slots, local.slot);
    insert_sorted(pod.ns->slots, local.slot);
    touch(pod);
    touch_slot(local.slot);
}

void Desired::erase_local(std::uint32_t number) {
    const auto found = slots_.find(number);
    if (found == slots_.end()) {
        return;
    }
    auto& slot = found->second;
    touch_slot(number);
    if (slot.pod == nullptr) {
        return;
    }
    for (const auto& address : slot.addresses) {
        disclaim(*slot.pod, address, number);
    }
    slot.addresses.clear();
    erase_sorted(slot.pod->slots, number);
    erase_sorted(slot.pod->ns->slots, number);
    touch(*slot.pod);
    objects_.drop_if_idle(*slot.pod);
    slot.pod = nullptr;
}

void Desired::touch(AddressNode& node) {
    if (!node.second.is_dirty) {
        node.second.is_dirty = true;
        dirty_addresses_.push_back(&node);
    }
}

void Desired::touch(RegionNode& node) {
    if (!node.second.is_dirty) {
        node.second.is_dirty = true;
        dirty_regions_.push_back(&node);
    }
}

void Desired::touch(PodRecord& pod) {
    if (!pod.is_dirty) {
        pod.is_dirty = true;
        dirty_pods_.push_back(pod.id);
    }
}

void Desired::touch_slots(const std::vector<std::uint32_t>& slots) {
    for (const auto slot : slots) {
        touch_slot(slot);
    }
}

// The node is another, has come or is gone.
void Desired::touch_addresses(const Node& node) {
    if (predicates_.asks_nodes()) {
        for (const auto& address : node.addresses) {
            touch(addresses_.node(address));
        }
    }
}

const SignaturePtr& Desired::around(const Address& address) const {
    const auto* region = regions_.around(address);
    return region == nullptr ? none_ : region->second.desired;
}

const SignaturePtr& Desired::signature(const Address& address) const {
    const auto* node = addresses_.find(address);
    return node != nullptr && node->second.desired ? node->second.desired : around(address);
}

std::vector<ObjectKey> Desired::policies_of(const Slot& slot, weir_direction direction) const {
    if (slot.pod == nullptr) {
        return {};
    }
    return policies_.policies_of(*slot.pod, direction, objects_.find_ns(root_namespace_));
}

void Desired::clear_dirty() {
    for (auto* node : dirty_addresses_) {
        node->second.is_dirty = false;
        addresses_.drop_if_idle(*node);
    }
    empty(dirty_addresses_);
    for (auto* node : dirty_regions_) {
        node->second.is_dirty = false;
        regions_.drop_if_idle(*node);
    }
    empty(dirty_regions_);
    for (const auto number : dirty_slots_) {
        if (slots_[number].pod == nullptr) {
            slots_.erase(number);
        }
    }
    dirty_slots_.clear();
}

} // namespace weir
