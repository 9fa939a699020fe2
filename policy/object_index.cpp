// SPDX-License-Identifier: Apache-2.0
#include "policy/object_index.h"

#include <algorithm>

#include "policy/identity.h"
#include "policy/selector.h"

namespace weir {
namespace {

Labels implied_labels(const Symbol& ns) {
    static const Symbol kKey("kubernetes.io/metadata.name");
    return Labels{Label{kKey, ns}};
}

// What a pod without an object has.
const Pod& nothing() {
    static const Pod kNothing;
    return kNothing;
}

} // namespace

const Labels& PodRecord::labels() const {
    return (object ? *object : nothing()).labels;
}

const std::vector<ContainerPort>& PodRecord::ports() const {
    return (object ? *object : nothing()).ports;
}

const std::vector<Address>& PodRecord::addresses() const {
    const bool has_own = object && !object->is_host_network && !object->is_terminated;
    return (has_own ? *object : nothing()).addresses;
}

NamespaceRecord& ObjectIndex::ns(const Symbol& name) {
    auto& record = namespaces_[name];
    if (!record) {
        record = std::make_unique<NamespaceRecord>();
        record->id = ++last_namespace_id_;
        record->name = name;
        namespaces_by_id_[record->id] = record.get();
        set_labels(*record, implied_labels(name), false);
    }
    return *record;
}

NamespaceRecord* ObjectIndex::find_ns(const Symbol& name) {
    const auto found = namespaces_.find(name);
    return found == namespaces_.end() ? nullptr : found->second.get();
}

const NamespaceRecord* ObjectIndex::find_ns(const Symbol& name) const {
    const auto found = namespaces_.find(name);
    return found == namespaces_.end() ? nullptr : found->second.get();
}

void ObjectIndex::set_labels(NamespaceRecord& ns, const Labels& labels, bool is_known) {
    namespaces_by_label_.erase(ns.labels, ns.id);
    ns.labels = is_known ? labels : implied_labels(ns.name);
    ns.is_known = is_known;
    namespaces_by_label_.insert(ns.labels, ns.id);
}

void ObjectIndex::drop_if_idle(NamespaceRecord& ns) {
    if (!ns.is_known && ns.pods.empty() && ns.policies.empty() && ns.authorizations.empty()) {
        namespaces_by_label_.erase(ns.labels, ns.id);
        namespaces_by_id_.erase(ns.id);
        const Symbol name = ns.name;
        namespaces_.erase(name);
    }
}

PodRecord& ObjectIndex::pod(const ObjectName& name) {
    if (auto* existing = find_pod(name)) {
        return *existing;
    }
    auto record = std::make_unique<PodRecord>();
    record->name = name;
    record->ns = &ns(name.ns);
    if (free_pod_ids_.empty()) {
        record->id = static_cast<std::uint32_t>(pods_.size());
        pods_.emplace_back();
    } else {
        record->id = free_pod_ids_.back();
        free_pod_ids_.pop_back();
    }
    pod_ids_[name] = record->id;
    insert_sorted(record->ns->pods, record->id);
    pods_[record->id] = std::move(record);
    return *pods_[pod_ids_[name]];
}

PodRecord* ObjectIndex::find_pod(const ObjectName& name) {
    const auto found = pod_ids_.find(name);
    return found == pod_ids_.end() ? nullptr : pods_[found->second].get();
}

void ObjectIndex::set_object(PodRecord& pod, std::shared_ptr<const Pod> object) {
    // The indices know labels and ports by the place of their text: the old object outlives the
    // change.
    const PodRecord old = pod;
    pod.object = std::move(object);
    if (pod.labels() != old.labels()) {
        pods_by_label_.erase(old.labels(), pod.id);
        pods_by_label_.insert(pod.labels(), pod.id);
    }
    if (pod.ports() != old.ports()) {
        index_ports(old, false);
        index_ports(pod, true);
    }
}

void ObjectIndex::index_ports(const PodRecord& pod, bool is_insert) {
    for (const auto& port : pod.ports()) {
        if (port.name.get().empty()) {
            continue;
        }
        const PortName name{&port.name.get(), port.protocol};
        auto& ids = pods_by_port_[name];
        if (is_insert) {
            insert_sorted(ids, pod.id);
        } else {
            erase_sorted(ids, pod.id);
        }
        if (ids.empty()) {
            pods_by_port_.erase(name);
        }
    }
}

bool ObjectIndex::drop_if_idle(PodRecord& pod) {
    if (pod.is_known() || !pod.slots.empty()) {
        return false;
    }
    erase_sorted(pod.ns->pods, pod.id);
    drop_if_idle(*pod.ns);
    pod_ids_.erase(pod.name);
    free_pod_ids_.push_back(pod.id);
    pods_[pod.id].reset();
    return true;
}

std::vector<NamespaceRecord*> ObjectIndex::namespaces_of(const Selector& selector) {
    std::vector<NamespaceRecord*> result;
    const auto add = [&](NamespaceRecord& record) {
        if (matches(selector, record.labels)) {
            result.push_back(&record);
        }
    };
    if (const auto ids = namespaces_by_label_.candidates(selector)) {
        for (const auto id : *ids) {
            add(*namespaces_by_id_.at(id));
        }
    } else {
        for (const auto& [name, record] : namespaces_) {
            add(*record);
        }
    }
    return result;
}

// Starts from the pods of the namespaces or from those with the labels, whichever are fewer.
std::vector<std::uint32_t> ObjectIndex::candidates(const PodPeer& peer) {
    std::vector<NamespaceRecord*> namespaces;
    if (peer.ns) {
        if (auto* record = find_ns(*peer.ns)) {
            namespaces.push_back(record);
        }
    } else {
        namespaces = namespaces_of(peer.namespaces);
    }
    std::size_t size = 0;
    for (const auto* record : namespaces) {
        size += record->pods.size();
    }
    auto labelled = pods_by_label_.candidates(peer.pods);
    if (labelled && labelled->size() < size) {
        return std::move(*labelled);
    }
    std::vector<std::uint32_t> ids;
    ids.reserve(size);
    for (const auto* record : namespaces) {
        ids.insert(ids.end(), record->pods.begin(), record->pods.end());
    }
    return ids;
}

std::vector<std::uint32_t> ObjectIndex::candidates(const IdentityPeer& peer) {
    std::vector<std::uint32_t> ids;
    for (const auto& [name, record] : namespaces_) {
        if (may_hold(peer, *record)) {
            ids.insert(ids.end(), record->pods.begin(), record->pods.end());
        }
    }
    return ids;
}

void ObjectIndex::for_each_holder(const Predicate& predicate,
                                  const std::function<void(PodRecord&)>& visit) {
    const auto visit_holders = [&](const auto& peer) {
        for (const auto id : candidates(peer)) {
            if (holds(peer, *pods_[id])) {
                visit(*pods_[id]);
            }
        }
    };
    if (const auto* peer = std::get_if<PodPeer>(&predicate.question)) {
        visit_holders(*peer);
    } else if (const auto* identity = std::get_if<IdentityPeer>(&predicate.question)) {
        visit_holders(*identity);
    } else if (const auto* port = std::get_if<NamedPort>(&predicate.question)) {
        const auto found = pods_by_port_.find(PortName{&port->name.get(), port->protocol});
        if (found != pods_by_port_.end()) {
            for (const auto id : found->second) {
                visit(*pods_[id]);
            }
        }
    }
}

} // namespace weir
