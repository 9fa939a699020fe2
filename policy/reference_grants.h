// SPDX-License-Identifier: Apache-2.0
// ReferenceGrants, and the Services whose routes need one. "ReferenceGrant identifies kinds of
// resources in other namespaces that are trusted to reference the specified kinds of resources in
// the same namespace as the policy" (gateway.networking.k8s.io).
#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "policy/hash.h"
#include "policy/service_model.h"

namespace weir {

class ReferenceGrants {
public:
    // Adds (sign 1) or removes (-1) one, or a Service one of whose routes has a backendRef into the
    // namespace.
    void put(const std::shared_ptr<const ReferenceGrant>& grant, int sign);
    void put_user(const Symbol& ns, const ObjectName& parent, int sign);

    // Whether routes of that kind and namespace may have the Service as backend. "A
    // ReferenceGrant is required for all cross-namespace references."
    bool permit(TrafficRoute::Api api, const Symbol& from, const ObjectName& service) const;
    // Whom a grant of the namespace is about; may repeat.
    std::span<const ObjectName> users(const Symbol& ns) const;

private:
    struct Record {
        std::vector<std::shared_ptr<const ReferenceGrant>> grants;
        std::vector<ObjectName> users;
    };

    void drop_if_idle(const Symbol& ns);

    std::unordered_map<Symbol, Record, SymbolHash> namespaces_;
};

} // namespace weir
