// SPDX-License-Identifier: Apache-2.0
// The ports of a tier policy's rule: "protocols" in v1alpha2, "ports" in v1alpha1.
#pragma once

#include <vector>

#include "agent/kube/field.h"
#include "agent/kube/tier_dialect.h"
#include "policy/model.h"

namespace weir {

// Reports named ports when a peer of the rule cannot have any.
std::vector<Port> decode_tier_ports(const Field& list, bool has_address_peer,
                                    const TierDialect& dialect);

} // namespace weir
