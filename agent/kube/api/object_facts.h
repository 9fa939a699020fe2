// SPDX-License-Identifier: Apache-2.0
// What the API says of an object beside what policy is made of: which object it is, and what Weir
// has written into its status. For events and conditions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kube/value.h"
#include "policy/model.h"

namespace weir {

// Of the conditions in a ClusterNetworkPolicy, AdminNetworkPolicy or BaselineAdminNetworkPolicy.
inline constexpr std::string_view kEnforcedCondition = "weir.io/Enforced";
// Of the entries in a route's status.parents: Weir as the mesh of the routes of Services (GAMMA).
inline constexpr std::string_view kRouteController = "weir.io/gamma";

// metav1.Condition.
struct Condition {
    std::string type;
    std::string status; // "True" or "False"
    std::string reason;
    std::string message;
    std::int64_t observed_generation = 0;
    std::string last_transition; // as written; empty: not written yet

    // All but the time, which every writer has its own of.
    bool says_same(const Condition& other) const { return text() == other.text(); }
    std::string text() const;
};

// gateway.networking.k8s.io ParentReference, with what is not given left out.
struct ParentReference {
    std::optional<std::string> group;
    std::optional<std::string> kind;
    std::optional<std::string> ns;
    std::string name;
    std::optional<std::string> section;
    std::optional<std::int64_t> port;

    bool operator==(const ParentReference&) const = default;
};

// RouteParentStatus of Weir's.
struct ParentStatus {
    std::size_t index = 0; // in status.parents; of no meaning in one that is not written yet
    ParentReference parent;
    std::vector<Condition> conditions;
};

struct ObjectFacts {
    std::string version; // metadata.resourceVersion
    std::int64_t generation = 0;
    std::optional<Condition> enforced; // kEnforcedCondition

    // Of routes that are attached to a Service, or have been.
    std::vector<ParentReference> services; // of spec.parentRefs
    std::vector<ParentStatus> reported;    // of status.parents
    bool has_invalid_kind = false;         // a backendRef is no Service
    std::vector<ObjectName> foreigners;    // Services of other namespaces that are backends
    bool has_status = false;
    bool has_parents = false;

    // Whether Weir has something to write, or has written something.
    bool is_reported() const { return enforced || !services.empty() || !reported.empty(); }
};

// Whether the kind's status has conditions that Weir writes.
bool has_enforced_condition(Kind kind);
// Whether Weir writes to the kind's status at all.
bool has_written_status(Kind kind);

// Of an object as the API serves it; fields of another type than the API's count as absent.
ObjectFacts read_object_facts(Kind kind, const Value& object);

} // namespace weir
