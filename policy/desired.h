// SPDX-License-Identifier: Apache-2.0
// What should be in force: which rules each local slot has, and which predicates hold for each
// address and region. Keeps a list of what changed since it was last committed; never looks at the
// rest.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "policy/address_index.h"
#include "policy/compiler.h"
#include "policy/node_index.h"
#include "policy/object_index.h"
#include "policy/policy_set.h"
#include "policy/predicate_set.h"
#include "policy/region_index.h"
#include "policy/signature.h"

namespace weir {

struct Slot {
    PodRecord* pod = nullptr; // null: no endpoint
    std::vector<Address> addresses;
    Directions stale = 0;                                      // whose lists settle() makes anew
    std::array<RuleListPtr, WEIR_DIRECTIONS> lists;            // desired; null without endpoint
    std::array<std::uint64_t, WEIR_DIRECTIONS> kernel_words{}; // committed
};

class Desired {
public:
    explicit Desired(const CompilerOptions& options)
        : root_namespace_(options.root_namespace),
          popular_uses_(options.popular_uses),
          policies_(predicates_, options.trust_domain) {}

    void apply(const Change& change);
    void set_local(const LocalPod& local);
    void erase_local(std::uint32_t slot);

    // Brings rule lists and signatures of everything that changed up to date.
    void settle();
    // What settle() looked at is committed.
    void clear_dirty();

    // Puts an address or a region on the list of what changed.
    void touch(AddressNode& node);
    void touch(RegionNode& node);
    void touch_slot(std::uint32_t slot, Directions directions = kBothDirections) {
        slots_[slot].stale |= directions;
        dirty_slots_.insert(slot);
    }

    std::vector<AddressNode*>& dirty_addresses() { return dirty_addresses_; }
    std::vector<RegionNode*>& dirty_regions() { return dirty_regions_; }
    const std::set<std::uint32_t>& dirty_slots() const { return dirty_slots_; }

    std::map<std::uint32_t, Slot>& slots() { return slots_; }
    const std::map<std::uint32_t, Slot>& slots() const { return slots_; }
    AddressIndex& addresses() { return addresses_; }
    const AddressIndex& addresses() const { return addresses_; }
    RegionIndex& regions() { return regions_; }
    const RegionIndex& regions() const { return regions_; }
    RuleBook& rules() { return policies_.rules(); }
    const RuleBook& rules() const { return policies_.rules(); }
    const SignaturePtr& no_predicate() const { return none_; }
    // What the blocks in force say of the address, its pod and node aside.
    const SignaturePtr& around(const Address& address) const;
    // All that settle() found to hold for the address.
    const SignaturePtr& signature(const Address& address) const;
    // Policies that take part in the verdicts of the slot's pod, in the order of evaluation.
    std::vector<ObjectKey> policies_of(const Slot& slot, weir_direction direction) const;

private:
    struct Touched {
        PredicatePtr predicate;
        bool was_in_force;
    };
    using TouchedPredicates = std::map<std::uint32_t, Touched>; // by predicate id

    void upsert(const Namespace& ns);
    void upsert(std::shared_ptr<const Pod> pod);
    void upsert(std::shared_ptr<const NetworkPolicy> policy);
    void upsert(std::shared_ptr<const Node> node);
    void upsert(const ObjectKey& key, std::shared_ptr<const TierPolicy> policy);
    void upsert(std::shared_ptr<const AuthorizationPolicy> policy);
    void erase(const ObjectKey& key);
    void erase_namespace(const Symbol& name);
    void erase_pod(const ObjectName& name);
    void erase_network_policy(const ObjectName& name);
    void erase_authorization_policy(const ObjectName& name);

    void set_object(PodRecord& pod, std::shared_ptr<const Pod> object);
    void claim(PodRecord& pod, const Address& address, std::uint32_t slot);
    void disclaim(PodRecord& pod, const Address& address, std::uint32_t slot);
    void touch(PodRecord& pod);
    void touch_pods(const NamespaceRecord& ns);
    void touch_slots(const std::vector<std::uint32_t>& slots);
    void touch_addresses(const Node& node);
    template <typename IsSelected>
    void touch_selected(IsSelected is_selected, Directions directions = kBothDirections);
    void touch_selected(const NamespaceRecord& ns, const AuthorizationPolicy* policy);

    void settle_slots(TouchedPredicates& touched);
    void use(RuleList& list, TouchedPredicates& touched);
    void unuse(RuleList& list, TouchedPredicates& touched);
    void settle_predicates(const TouchedPredicates& touched);
    void set_in_force(Predicate& predicate, bool is_in_force);
    bool is_popular(const Predicate& predicate, bool was_popular) const;
    void touch_holders(const Predicate& predicate);
    void settle_pods();
    void settle_regions();
    void settle_addresses();
    SignaturePtr settled(const AddressNode& node, const Holders& pod_holders);

    // Interning tables first: they outlive what they interned.
    Symbol root_namespace_;
    std::uint32_t popular_uses_;
    PredicateSet predicates_;
    SignatureSet signatures_;
    SignaturePtr none_ = signatures_.empty();
    ObjectIndex objects_;
    AddressIndex addresses_;
    RegionIndex regions_;
    NodeIndex nodes_;
    PolicySet policies_;
    std::map<std::uint32_t, Slot> slots_;

    std::vector<std::uint32_t> dirty_pods_;
    std::vector<AddressNode*> dirty_addresses_;
    std::vector<RegionNode*> dirty_regions_;
    std::set<std::uint32_t> dirty_slots_;
};

} // namespace weir
