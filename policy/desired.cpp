// SPDX-License-Identifier: Apache-2.0
#include "policy/desired.h"

#include <algorithm>
#include <iterator>

namespace weir {
namespace {

constexpr std::array kBoth{WEIR_EGRESS, WEIR_INGRESS};

bool is_by_id(const Predicate* a, const Predicate* b) {
    return a->id < b->id;
}

// The first change of a large cluster lists all of it, later ones next to nothing.
template <typename Value>
void empty(std::vector<Value>& values) {
    values = std::vector<Value>();
}

std::vector<Address> sorted(std::vector<Address> addresses) {
    std::sort(addresses.begin(), addresses.end());
    addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
    return addresses;
}

} // namespace

void Desired::apply(const Change& change) {
    // Erasures first: an object may be replaced by one that takes over its address.
    for (const auto& key : change.erasures) {
        erase(key);
    }
    // NetworkPolicy asks nothing of nodes.
    for (const auto& object : change.upserts) {
        if (const auto ns = object.as<Namespace>()) {
            upsert(*ns);
        } else if (auto pod = object.as<Pod>()) {
            upsert(std::move(pod));
        } else if (auto policy = object.as<NetworkPolicy>()) {
            upsert(std::move(policy));
        }
    }
}

void Desired::upsert(const Namespace& ns) {
    auto& record = objects_.ns(ns.name);
    const bool is_changed = record.labels != ns.labels;
    objects_.set_labels(record, ns.labels, true);
    if (is_changed) {
        for (const auto id : record.pods) {
            touch(*objects_.find_pod(id));
        }
    }
}

void Desired::upsert(std::shared_ptr<const Pod> pod) {
    auto& record = objects_.pod(pod->name);
    const bool is_changed =
        !record.is_known() || record.object->is_host_network != pod->is_host_network ||
        record.object->labels != pod->labels || record.object->ports != pod->ports;
    set_object(record, std::move(pod));
    if (is_changed) {
        touch(record);
        touch_slots(record.slots);
    }
}

void Desired::upsert(std::shared_ptr<const NetworkPolicy> policy) {
    auto& ns = objects_.ns(policy->name.ns);
    if (policies_.upsert(ns, std::move(policy))) {
        touch_slots(ns.slots);
    }
}

void Desired::erase(const ObjectKey& key) {
    switch (key.kind) {
        case Kind::kNamespace:
            return erase_namespace(key.name.name);
        case Kind::kPod:
            return erase_pod(key.name);
        case Kind::kNetworkPolicy:
            if (auto* ns = objects_.find_ns(key.name.ns)) {
                if (policies_.erase(*ns, key.name.name)) {
                    touch_slots(ns->slots);
                }
                objects_.drop_if_idle(*ns);
            }
            return;
        case Kind::kNode:
        case Kind::kClusterNetworkPolicy:
        case Kind::kAdminNetworkPolicy:
        case Kind::kBaselineAdminNetworkPolicy:
        case Kind::kAuthorizationPolicy:
            return;
    }
}

void Desired::erase_namespace(const Symbol& name) {
    auto* ns = objects_.find_ns(name);
    if (ns == nullptr) {
        return;
    }
    objects_.set_labels(*ns, {}, false);
    for (const auto id : ns->pods) {
        touch(*objects_.find_pod(id));
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
    dirty_slots_.insert(slots.begin(), slots.end());
}

void Desired::settle() {
    TouchedPredicates touched;
    settle_slots(touched);
    settle_predicates(touched);
    settle_regions();
    settle_pods();
    settle_addresses();
}

void Desired::settle_slots(TouchedPredicates& touched) {
    std::vector<RuleListPtr> given_up;
    for (const auto number : dirty_slots_) {
        auto& slot = slots_[number];
        for (const auto direction : kBoth) {
            auto list = slot.pod == nullptr ? RuleListPtr{}
                                            : policies_.effective_rules(*slot.pod, direction);
            if (list) {
                use(*list, touched);
            }
            list.swap(slot.lists[direction]);
            if (list) {
                given_up.push_back(std::move(list));
            }
        }
    }
    for (const auto& list : given_up) {
        unuse(*list, touched);
    }
}

void Desired::use(RuleList& list, TouchedPredicates& touched) {
    if (list.uses++ != 0) {
        return;
    }
    for (auto* predicate : list.predicates()) {
        touched.try_emplace(predicate->id,
                            Touched{predicate->shared_from_this(), predicate->uses != 0});
        ++predicate->uses;
    }
}

void Desired::unuse(RuleList& list, TouchedPredicates& touched) {
    if (--list.uses != 0) {
        return;
    }
    for (auto* predicate : list.predicates()) {
        touched.try_emplace(predicate->id,
                            Touched{predicate->shared_from_this(), predicate->uses != 0});
        --predicate->uses;
    }
}

void Desired::settle_predicates(const TouchedPredicates& touched) {
    for (const auto& [id, change] : touched) {
        const bool is_in_force = change.predicate->uses != 0;
        if (is_in_force != change.was_in_force) {
            set_in_force(*change.predicate, is_in_force);
        }
    }
}

void Desired::set_in_force(Predicate& predicate, bool is_in_force) {
    if (const auto* block = std::get_if<IpBlock>(&predicate.question)) {
        for (auto* region : is_in_force ? regions_.add(predicate) : regions_.remove(predicate)) {
            touch(*region);
        }
        for (const auto& run : runs_of(*block)) {
            for (auto* node : addresses_.within(run)) {
                touch(*node);
            }
        }
        return;
    }
    if (is_in_force) {
        predicates_.enable(predicate);
    } else {
        predicates_.disable(predicate);
    }
    objects_.for_each_holder(predicate, [this](PodRecord& pod) { touch(pod); });
}

void Desired::settle_pods() {
    for (const auto id : dirty_pods_) {
        auto* pod = objects_.find_pod(id);
        if (pod == nullptr || !pod->is_dirty) {
            continue;
        }
        pod->is_dirty = false;
        for (const auto& address : pod->addresses()) {
            touch(addresses_.node(address));
        }
        for (const auto slot : pod->slots) {
            for (const auto& address : slots_[slot].addresses) {
                touch(addresses_.node(address));
            }
        }
    }
    empty(dirty_pods_);
}

void Desired::settle_regions() {
    for (auto* node : dirty_regions_) {
        node->second.desired = signatures_.intern(regions_.holding(*node));
    }
}

const SignaturePtr& Desired::around(const Address& address) const {
    const auto* region = regions_.around(address);
    return region == nullptr ? none_ : region->second.desired;
}

void Desired::settle_addresses() {
    const PodRecord* last_pod = nullptr; // a pod's addresses follow each other mostly
    Holders pod_holders;
    for (auto* node : dirty_addresses_) {
        const auto* owner = node->second.owner();
        const auto& region = around(node->first);
        if (owner == nullptr) {
            node->second.desired = region;
            continue;
        }
        if (owner != last_pod) {
            pod_holders = predicates_.holding(*owner);
            last_pod = owner;
        }
        if (pod_holders.empty()) {
            node->second.desired = region;
            continue;
        }
        Holders holders;
        for (const auto& block : region->predicates) {
            holders.push_back(block.get());
        }
        const auto middle = static_cast<std::ptrdiff_t>(holders.size());
        holders.insert(holders.end(), pod_holders.begin(), pod_holders.end());
        std::inplace_merge(holders.begin(), holders.begin() + middle, holders.end(), is_by_id);
        node->second.desired = signatures_.intern(holders);
    }
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
