// SPDX-License-Identifier: Apache-2.0
// Desired::settle(): from what changed to rule lists, predicates in force and signatures.
#include <algorithm>
#include <utility>

#include "policy/desired.h"
#include "policy/selector.h"
#include "policy/sort_unique.h"

namespace weir {
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
    const auto* root = objects_.find_ns(root_namespace_);
    for (const auto number : dirty_slots_) {
        auto& slot = slots_[number];
        for (const auto direction : {WEIR_EGRESS, WEIR_INGRESS}) {
            if ((slot.stale & 1U << direction) == 0) {
                continue;
            }
            RuleListPtr list;
            if (slot.pod != nullptr) {
                const Subject subject{*slot.pod, slot.addresses};
                list = policies_.effective_rules(subject, direction, root);
            }
            if (list) {
                use(*list, touched);
            }
            list.swap(slot.lists[direction]);
            if (list) {
                given_up.push_back(std::move(list));
            }
        }
        slot.stale = 0;
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
        auto& predicate = *change.predicate;
        const bool is_in_force = predicate.uses != 0;
        const bool was_popular =
            std::exchange(predicate.is_popular,
                          is_popular(predicate, change.was_in_force && predicate.is_popular));
        if (is_in_force != change.was_in_force) {
            set_in_force(predicate, is_in_force);
        } else if (is_in_force && predicate.is_popular != was_popular) {
            touch_holders(predicate);
        }
    }
}

// What is popular stays so for a while: a change of it moves all addresses that it holds for.
bool Desired::is_popular(const Predicate& predicate, bool was_popular) const {
    return was_popular ? predicate.uses * 2 >= popular_uses_ : predicate.uses >= popular_uses_;
}

void Desired::set_in_force(Predicate& predicate, bool is_in_force) {
    if (std::holds_alternative<IpBlock>(predicate.question)) {
        is_in_force ? regions_.add(predicate) : regions_.remove(predicate);
    } else if (is_in_force) {
        predicates_.enable(predicate);
    } else {
        predicates_.disable(predicate);
    }
    touch_holders(predicate);
}

// Addresses and regions for which it holds, whether it is in force or not.
void Desired::touch_holders(const Predicate& predicate) {
    if (const auto* block = std::get_if<IpBlock>(&predicate.question)) {
        for (auto* region : regions_.inside(*block)) {
            touch(*region);
        }
        for (const auto& run : runs_of(*block)) {
            for (auto* node : addresses_.within(run)) {
                touch(*node);
            }
        }
        return;
    }
    if (const auto* peer = std::get_if<NodePeer>(&predicate.question)) {
        nodes_.for_each([&](const Node& node) {
            if (!matches(peer->nodes, node.labels)) {
                return;
            }
            for (const auto& address : node.addresses) {
                touch(addresses_.node(address));
            }
        });
        return;
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
    dirty_pods_ = {};
}

void Desired::settle_regions() {
    for (auto* node : dirty_regions_) {
        node->second.desired = signatures_.intern(regions_.holding(*node));
    }
}

void Desired::settle_addresses() {
    const PodRecord* last_pod = nullptr; // a pod's addresses follow each other mostly
    Holders pod_holders;
    for (auto* node : dirty_addresses_) {
        const auto* owner = node->second.owner();
        if (owner != last_pod) {
            pod_holders = owner == nullptr ? Holders{} : predicates_.holding(*owner);
            last_pod = owner;
        }
        node->second.desired = settled(*node, pod_holders);
    }
}

// What holds for the address: its region's blocks, its pod's predicates and its nodes'.
SignaturePtr Desired::settled(const AddressNode& node, const Holders& pod_holders) {
    const auto& region = around(node.first);
    Holders own = pod_holders;
    if (predicates_.asks_nodes()) {
        for (const auto& each : nodes_.at(node.first)) {
            const auto holders = predicates_.holding(each->labels);
            own.insert(own.end(), holders.begin(), holders.end());
        }
        sort_unique(own, is_before_by_id);
    }
    if (own.empty()) {
        return region;
    }
    Holders holders;
    holders.reserve(region->predicates.size() + own.size());
    for (const auto& block : region->predicates) {
        holders.push_back(block.get());
    }
    const auto middle = static_cast<std::ptrdiff_t>(holders.size());
    holders.insert(holders.end(), own.begin(), own.end());
    std::inplace_merge(holders.begin(), holders.begin() + middle, holders.end(), is_before_by_id);
    return signatures_.intern(holders);
}

} // namespace weir
