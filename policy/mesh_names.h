// SPDX-License-Identifier: Apache-2.0
// What the mesh that identity rules come from is configured with.
#pragma once

#include "policy/symbol.h"

namespace weir {

struct MeshNames {
    // Where AuthorizationPolicies are for all namespaces (Istio's meshConfig.rootNamespace).
    Symbol root_namespace{"istio-system"};
    // Of workload identities: spiffe://<trust domain>/ns/<namespace>/sa/<service account>.
    Symbol trust_domain{"cluster.local"};
};

} // namespace weir
