// SPDX-License-Identifier: Apache-2.0
// metav1.LabelSelector.
#pragma once

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

Selector decode_selector(const Field& field);

} // namespace weir
