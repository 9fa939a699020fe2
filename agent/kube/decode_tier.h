// SPDX-License-Identifier: Apache-2.0
// policy.networking.k8s.io: ClusterNetworkPolicy (v1alpha2), AdminNetworkPolicy and
// BaselineAdminNetworkPolicy (v1alpha1), whole, as their definitions default and validate them.
#pragma once

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

TierPolicy decode_tier_policy(const Field& root, const ObjectName& name, TierPolicy::Api api);

} // namespace weir
