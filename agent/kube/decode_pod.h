// SPDX-License-Identifier: Apache-2.0
// v1 Pod. Only the fields that Weir uses are looked at.
#pragma once

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

Pod decode_pod(const Field& root, const ObjectName& name);

} // namespace weir
