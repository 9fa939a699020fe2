// SPDX-License-Identifier: Apache-2.0
// One rule of a tier policy: its action, its peers and its ports.
#pragma once

#include <string_view>

#include "agent/kube/field.h"
#include "agent/kube/tier_dialect.h"
#include "policy/model.h"

namespace weir {

// `peers` is the name of their field: "from", or "to", which has peers of more kinds.
TierRule decode_tier_rule(const Field& field, std::string_view peers, const TierDialect& dialect);

// The member "namespaces" or "pods" of a subject or peer.
PodSelection decode_pod_selection(const Field& parent, std::string_view member,
                                  const TierDialect& dialect);

} // namespace weir
