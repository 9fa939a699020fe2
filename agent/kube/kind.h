// SPDX-License-Identifier: Apache-2.0
// Which documents Weir reads, which it passes over and which no API server knows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model.h"

namespace weir {

enum class KindUse {
    kUsed,           // one of kKinds in a version that Weir reads
    kList,           // of objects: v1 List, PodList, ...
    kIgnored,        // another kind
    kUnknownVersion, // a kind that Weir uses in a version that it does not read
    kUnknownKind     // a group whose kinds are known, but not this one: a misspelt kind
};

struct KindInfo {
    KindUse use = KindUse::kIgnored;
    Kind kind = Kind::kPod;              // when used
    std::optional<Kind> list_of;         // a typed list, whose items need no kind of their own
    std::string_view api_version = "v1"; // the one that Weir reads
};

KindInfo kind_info(std::string_view api_version, std::string_view kind);

bool is_namespaced(Kind kind);

// The kinds that an agent follows: those of services only when it balances load.
std::vector<Kind> watched_kinds(bool with_services);

// Where the Kubernetes API serves objects of a kind.
struct ApiResource {
    std::string_view group;   // empty: core
    std::string_view version; // "v1"
    std::string_view plural;  // "networkpolicies"
    bool is_optional = false; // defined by a CustomResourceDefinition, which may be absent

    // Of all objects, or of one namespace's.
    std::string path(std::string_view ns = "") const;
    // "networking.k8s.io/v1".
    std::string api_version() const;
    // As RBAC and CustomResourceDefinitions write it: "networkpolicies.networking.k8s.io".
    std::string name() const;
};
ApiResource api_resource(Kind kind);

} // namespace weir
