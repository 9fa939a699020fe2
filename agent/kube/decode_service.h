// SPDX-License-Identifier: Apache-2.0
// v1 Service.
#pragma once

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

Service decode_service(const Field& root, const ObjectName& name);

} // namespace weir
