// SPDX-License-Identifier: Apache-2.0
// Services and what belongs to them, and which Services a change is about.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "policy/endpoint_choice.h"
#include "policy/hash.h"
#include "policy/model.h"
#include "policy/reference_grants.h"

namespace weir {

// All that is known of one Service. Slices are sorted by name; of several routes and rules the
// oldest comes first.
struct ServiceRecord {
    std::shared_ptr<const Service> service; // null while only others name it
    std::vector<std::shared_ptr<const EndpointSlice>> slices;
    std::vector<std::shared_ptr<const TrafficRoute>> routes; // attached to it
    std::vector<std::shared_ptr<const DestinationRule>> rules;
    std::vector<ObjectName> users; // Services whose routes have it as backend; may repeat

    bool is_idle() const {
        return !service && slices.empty() && routes.empty() && rules.empty() && users.empty();
    }
};

class ServiceIndex {
public:
    using Records = std::unordered_map<ObjectName, ServiceRecord, ObjectNameHash>;

    explicit ServiceIndex(Symbol node) { here_.node = node; }

    void apply(const Change& change);

    // Services that have to be looked at again, in the order of their age.
    std::vector<ObjectName> take_dirty();
    void touch(const ObjectName& service) { dirty_.insert(service); }

    // Null when nothing is known of it.
    const ServiceRecord* find(const ObjectName& service) const;
    const Records& records() const { return records_; }
    const ReferenceGrants& grants() const { return grants_; }
    const Place& here() const { return here_; }
    const std::vector<Address>& node_addresses() const { return node_addresses_; }
    // Objects of a kind that is for services alone.
    std::uint32_t count(Kind kind) const { return counts_[static_cast<std::size_t>(kind)]; }

private:
    void put(const ObjectKey& key, const SharedObject& object, int sign);
    void put_slice(const std::shared_ptr<const EndpointSlice>& slice, int sign);
    void put_route(const std::shared_ptr<const TrafficRoute>& route, int sign);
    void put_node(const Node* node);
    void put_pod(const ObjectName& name, const Pod* pod);
    void touch_with_users(const ObjectName& service, const ServiceRecord& record);
    void drop_if_idle(const ObjectName& service);

    Place here_;
    std::vector<Address> node_addresses_;
    Records records_;
    // What stands for the host ports of this node's pods, by pod.
    std::unordered_map<ObjectName, std::vector<SharedObject>, ObjectNameHash> host_ports_;
    ReferenceGrants grants_;
    // Slices, routes and rules by their own names, to know what one was before.
    std::array<boost::unordered_flat_map<ObjectName, SharedObject, ObjectNameHash>, kKinds.size()>
        objects_;
    std::array<std::uint32_t, kKinds.size()> counts_{};
    std::unordered_set<ObjectName, ObjectNameHash> dirty_;
};

} // namespace weir
