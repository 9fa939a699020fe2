// SPDX-License-Identifier: Apache-2.0
// The cluster-wide policies of a large cluster, as its administrators would have them: tiers that
// guard the platform and keep tenants apart, and identity rules.
#pragma once

#include <cstdint>

#include "policy/model.h"

namespace weir::bench {

// What the workload names its namespaces and their labels.
Symbol namespace_name(std::uint32_t index);
Symbol team_name(std::uint32_t index);
inline constexpr std::uint32_t kTeams = 20;
inline constexpr std::uint32_t kServiceAccounts = 3; // sa-0 and on, in every namespace

// ClusterNetworkPolicy number `index`: DNS, metrics, ingress controller, metadata service, nodes,
// networks, stages, environments, tenants (Pass within a team), and Baseline rules. Most of them
// select all pods. `version` chooses among variants of the same policy.
TierPolicy tier_policy(std::uint32_t index, std::uint32_t version = 0);

// Number `index` of a namespace: admits its own namespace, the ingress controller and one service
// account of another namespace.
AuthorizationPolicy authorization_policy(std::uint32_t ns, std::uint32_t index,
                                         std::uint32_t namespaces, std::uint32_t version = 0);
// In the root namespace: denies what namespaces outside any team send to the platform's ports.
AuthorizationPolicy root_authorization();

} // namespace weir::bench
