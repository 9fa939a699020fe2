// SPDX-License-Identifier: Apache-2.0
// metav1.LabelSelector.
#pragma once

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

// Istio's WorkloadSelector has matchLabels alone.
enum class SelectorForm { kWhole, kLabelsOnly };

Selector decode_selector(const Field& field, SelectorForm form = SelectorForm::kWhole);

} // namespace weir
