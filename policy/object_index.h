// SPDX-License-Identifier: Apache-2.0
// The cluster's pods and namespaces, found by name, label and namespace.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policy/hash.h"
#include "policy/label_index.h"
#include "policy/model.h"
#include "policy/predicate.h"

namespace weir {

struct PolicyRecord;
struct AuthorizationRecord;

struct NamespaceRecord {
    std::uint32_t id = 0;
    Symbol name;
    bool is_known = false; // there is a Namespace object
    bool is_audited = false;
    Labels labels; // without one: the name's label alone, which every namespace has
    std::vector<std::uint32_t> pods;                  // ids, sorted
    std::vector<std::uint32_t> slots;                 // of local pods, sorted
    std::vector<PolicyRecord*> policies;              // by name
    std::vector<AuthorizationRecord*> authorizations; // by name
};

struct PodRecord {
    std::uint32_t id = 0;
    bool is_dirty = false; // on the list of what the next compile() looks at
    ObjectName name;
    NamespaceRecord* ns = nullptr;
    std::shared_ptr<const Pod> object; // null while there is none
    std::vector<std::uint32_t> slots;  // endpoints of this node

    bool is_known() const { return object != nullptr; }
    const Labels& labels() const;
    const std::vector<ContainerPort>& ports() const;
    // That the object claims: none for host-network and terminated pods.
    const std::vector<Address>& addresses() const;
    // A host-network pod has its node's addresses, which other pods share: no selector picks it.
    bool is_selectable() const { return is_known() && !object->is_host_network; }
};

class ObjectIndex {
public:
    NamespaceRecord& ns(const Symbol& name); // made if it is missing
    NamespaceRecord* find_ns(const Symbol& name);
    const NamespaceRecord* find_ns(const Symbol& name) const;
    void set_labels(NamespaceRecord& ns, const Labels& labels, bool is_known);
    void drop_if_idle(NamespaceRecord& ns);

    PodRecord& pod(const ObjectName& name); // made if it is missing, unknown
    PodRecord* find_pod(const ObjectName& name);
    PodRecord* find_pod(std::uint32_t id) { return pods_[id].get(); }
    void set_object(PodRecord& pod, std::shared_ptr<const Pod> object); // or null
    // Forgets a pod that is neither known nor an endpoint's.
    bool drop_if_idle(PodRecord& pod);

    // Calls visit for every pod that the predicate, which is about pods, holds for.
    void for_each_holder(const Predicate& predicate, const std::function<void(PodRecord&)>& visit);

private:
    using PortName = std::pair<const std::string*, std::uint8_t>;
    struct PortNameHash {
        std::size_t operator()(const PortName& name) const {
            return std::hash<const void*>{}(name.first) * 31 + name.second;
        }
    };

    std::vector<std::uint32_t> candidates(const PodPeer& peer);
    std::vector<std::uint32_t> candidates(const IdentityPeer& peer);
    std::vector<NamespaceRecord*> namespaces_of(const Selector& selector);
    void index_ports(const PodRecord& pod, bool is_insert);

    std::unordered_map<Symbol, std::unique_ptr<NamespaceRecord>, SymbolHash> namespaces_;
    std::unordered_map<std::uint32_t, NamespaceRecord*> namespaces_by_id_;
    std::uint32_t last_namespace_id_ = 0;
    boost::unordered_flat_map<ObjectName, std::uint32_t, ObjectNameHash> pod_ids_;
    std::vector<std::unique_ptr<PodRecord>> pods_; // by id
    std::vector<std::uint32_t> free_pod_ids_;
    LabelIndex namespaces_by_label_;
    LabelIndex pods_by_label_;
    std::unordered_map<PortName, std::vector<std::uint32_t>, PortNameHash> pods_by_port_;
};

} // namespace weir
