// SPDX-License-Identifier: Apache-2.0
// AuthorizationPolicy at layer 4, from the text of security.istio.io/v1: whether a policy is for a
// workload and whether a rule matches a connection. For the naive evaluator.
#pragma once

#include <cstdint>

#include "policy/compiler.h"
#include "policy/model.h"

namespace weir::test {

// A TCP connection as its server sees it.
struct NaiveConnection {
    Address source;
    const Pod* source_pod = nullptr; // whose workload identity it has; null: it has none
    const LocalPod* server = nullptr;
    std::uint16_t port = 0;
};

bool is_for(const AuthorizationPolicy& policy, const Pod& workload);
bool matches(const AuthorizationRule& rule, const NaiveConnection& connection);

} // namespace weir::test
