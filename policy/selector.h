// SPDX-License-Identifier: Apache-2.0
// Label matching as metav1.LabelSelector defines it.
#pragma once

#include "policy/model.h"

namespace weir {

// The value of a label; null when the key is missing.
const Symbol* find_label(const Labels& labels, const Symbol& key);

bool matches(const LabelRequirement& requirement, const Labels& labels);
bool matches(const Selector& selector, const Labels& labels);

// The same selector in one spelling: requirements and their values in order, none twice.
Selector canonical(Selector selector);

} // namespace weir
