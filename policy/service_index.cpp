// SPDX-License-Identifier: Apache-2.0
#include "policy/service_index.h"

#include <algorithm>
#include <tuple>

#include "policy/host_ports.h"

namespace weir {
namespace {

constexpr const char* kZoneLabel = "topology.kubernetes.io/zone";

template <typename Typed>
bool is_older(const std::shared_ptr<const Typed>& a, const std::shared_ptr<const Typed>& b) {
    if (a->created != b->created) {
        return a->created < b->created;
    }
    if (a->name != b->name) {
        return is_before(a->name, b->name);
    }
    return key_of(*a).kind < key_of(*b).kind;
}

// Adds (sign 1) or removes (-1) the object in a list that stays in order.
template <typename Typed, typename Before>
void change_list(std::vector<std::shared_ptr<const Typed>>& list,
                 const std::shared_ptr<const Typed>& object, int sign, Before before) {
    if (sign > 0) {
        list.insert(std::ranges::upper_bound(list, object, before), object);
    } else {
        std::erase(list, object);
    }
}

} // namespace

void ServiceIndex::apply(const Change& change) {
    for (const auto& key : change.erasures) {
        if (key.kind == Kind::kNode && key.name.name == here_.node) {
            put_node(nullptr);
        }
        if (key.kind == Kind::kPod) {
            put_pod(key.name, nullptr);
        }
        if (!is_service_kind(key.kind)) {
            continue;
        }
        auto& objects = objects_[static_cast<std::size_t>(key.kind)];
        const auto known = objects.find(key.name);
        if (known == objects.end()) {
            continue;
        }
        put(key, known->second, -1);
        objects.erase(known);
        --counts_[static_cast<std::size_t>(key.kind)];
    }
    for (const auto& object : change.upserts) {
        const auto key = key_of(object);
        if (key.kind == Kind::kNode && key.name.name == here_.node) {
            put_node(object.as<Node>().get());
        }
        if (key.kind == Kind::kPod) {
            put_pod(key.name, object.as<Pod>().get());
        }
        if (!is_service_kind(key.kind)) {
            continue;
        }
        auto& objects = objects_[static_cast<std::size_t>(key.kind)];
        const auto known = objects.find(key.name);
        if (known != objects.end()) {
            put(key, known->second, -1);
        } else {
            ++counts_[static_cast<std::size_t>(key.kind)];
        }
        objects.insert_or_assign(key.name, object);
        put(key, object, 1);
    }
}

void ServiceIndex::put(const ObjectKey& key, const SharedObject& object, int sign) {
    if (auto service = object.as<Service>()) {
        auto& record = records_[key.name];
        touch_with_users(key.name, record);
        record.service = sign > 0 ? std::move(service) : nullptr;
        drop_if_idle(key.name);
    } else if (const auto slice = object.as<EndpointSlice>()) {
        put_slice(slice, sign);
    } else if (const auto route = object.as<TrafficRoute>()) {
        put_route(route, sign);
    } else if (const auto grant = object.as<ReferenceGrant>()) {
        grants_.put(grant, sign);
        for (const auto& user : grants_.users(grant->name.ns)) {
            touch(user);
        }
    } else if (const auto rule = object.as<DestinationRule>()) {
        auto& record = records_[rule->service];
        change_list(record.rules, rule, sign, is_older<DestinationRule>);
        touch_with_users(rule->service, record);
        drop_if_idle(rule->service);
    }
}

void ServiceIndex::put_slice(const std::shared_ptr<const EndpointSlice>& slice, int sign) {
    if (slice->service.get().empty()) {
        return;
    }
    const ObjectName service{slice->name.ns, slice->service};
    auto& record = records_[service];
    const auto before = [](const auto& a, const auto& b) { return is_before(a->name, b->name); };
    change_list(record.slices, slice, sign, before);
    touch_with_users(service, record);
    drop_if_idle(service);
}

void ServiceIndex::put_route(const std::shared_ptr<const TrafficRoute>& route, int sign) {
    for (const auto& parent : route->parents) {
        auto& record = records_[parent.service];
        std::erase(record.routes, route); // it may be attached to several ports
        if (sign > 0) {
            change_list(record.routes, route, sign, is_older<TrafficRoute>);
        }
        touch(parent.service);
        for (const auto& backend : route->backends) {
            if (backend.service.name.get().empty()) continue;
            if (backend.service.ns != route->name.ns) {
                grants_.put_user(backend.service.ns, parent.service, sign);
            }
            auto& users = records_[backend.service].users;
            if (sign > 0) {
                users.push_back(parent.service);
            } else if (const auto user = std::ranges::find(users, parent.service);
                       user != users.end()) {
                users.erase(user);
            }
            drop_if_idle(backend.service);
        }
        drop_if_idle(parent.service);
    }
}

void ServiceIndex::put_node(const Node* node) {
    Place here{here_.node, Symbol()};
    std::vector<Address> addresses;
    if (node != nullptr) {
        addresses = node->addresses;
        const auto zone = std::ranges::find_if(
            node->labels, [](const Label& label) { return label.key.get() == kZoneLabel; });
        if (zone != node->labels.end()) {
            here.zone = zone->value;
        }
    }
    if (here == here_ && addresses == node_addresses_) {
        return;
    }
    here_ = std::move(here);
    node_addresses_ = std::move(addresses);
    for (const auto& [name, record] : records_) {
        touch(name);
    }
}

void ServiceIndex::put_pod(const ObjectName& name, const Pod* pod) {
    const bool is_here = pod != nullptr && pod->node == here_.node && !pod->host_ports.empty();
    const auto known = host_ports_.find(name);
    if (!is_here && known == host_ports_.end()) {
        return;
    }
    auto news = is_here ? host_port_objects(*pod) : std::vector<SharedObject>();
    if (known != host_ports_.end()) {
        if (std::ranges::equal(
                known->second, news, {},
                [](const SharedObject& one) -> const Object& { return one; },
                [](const SharedObject& one) -> const Object& { return one; })) {
            return;
        }
        for (const auto& object : known->second) {
            put(key_of(object), object, -1);
        }
        host_ports_.erase(known);
    }
    for (const auto& object : news) {
        put(key_of(object), object, 1);
    }
    if (!news.empty()) {
        host_ports_.emplace(name, std::move(news));
    }
}

void ServiceIndex::touch_with_users(const ObjectName& service, const ServiceRecord& record) {
    touch(service);
    for (const auto& user : record.users) {
        touch(user);
    }
}

void ServiceIndex::drop_if_idle(const ObjectName& service) {
    const auto record = records_.find(service);
    if (record != records_.end() && record->second.is_idle()) {
        records_.erase(record);
    }
}

std::vector<ObjectName> ServiceIndex::take_dirty() {
    std::vector<ObjectName> names(dirty_.begin(), dirty_.end());
    dirty_ = {};
    const auto age = [this](const ObjectName& name) {
        const auto* record = find(name);
        return record != nullptr && record->service ? record->service->created : 0;
    };
    std::ranges::sort(names, [&](const ObjectName& a, const ObjectName& b) {
        const auto age_a = age(a);
        const auto age_b = age(b);
        return age_a != age_b ? age_a < age_b : is_before(a, b);
    });
    return names;
}

const ServiceRecord* ServiceIndex::find(const ObjectName& service) const {
    const auto record = records_.find(service);
    return record == records_.end() ? nullptr : &record->second;
}

} // namespace weir
