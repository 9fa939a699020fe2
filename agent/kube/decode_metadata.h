// SPDX-License-Identifier: Apache-2.0
// metav1.ObjectMeta, as far as Weir uses it, with the API server's checks of names and labels.
#pragma once

#include <cstdint>
#include <optional>

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

// A mapping of strings with label syntax. Null values are empty, as the API server reads them.
Labels decode_labels(const Field& field);

// metadata.labels; reports what else in metadata the API server would refuse.
Labels decode_metadata(const Field& metadata);

// weir.io/audit, as annotation or label: kAudited or kEnforced. What is not understood is reported
// and leaves it enforced.
Enforcement decode_enforcement(const Field& metadata);

// metadata.creationTimestamp in seconds since the epoch; 0 when it is missing or no time.
std::int64_t decode_creation(const Field& metadata);

// A label or annotation that is "true" or "false"; reported and nothing when it is neither.
std::optional<bool> decode_switch(const Field& field);

} // namespace weir
