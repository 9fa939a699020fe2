// SPDX-License-Identifier: Apache-2.0
// metav1.ObjectMeta, as far as Weir uses it, with the API server's checks of names and labels.
#pragma once

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

// A mapping of strings with label syntax. Null values are empty, as the API server reads them.
Labels decode_labels(const Field& field);

// metadata.labels; reports what else in metadata the API server would refuse.
Labels decode_metadata(const Field& metadata);

} // namespace weir
