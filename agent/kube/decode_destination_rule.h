// SPDX-License-Identifier: Apache-2.0
// networking.istio.io/v1 DestinationRule: connection limits and outlier detection.
#pragma once

#include <optional>

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

// Nothing when it says nothing that Weir applies, or names no Service; reported.
std::optional<DestinationRule> decode_destination_rule(const Field& root, const ObjectName& name);

} // namespace weir
