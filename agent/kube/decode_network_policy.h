// SPDX-License-Identifier: Apache-2.0
// networking.k8s.io/v1 NetworkPolicy, whole, as the API server defaults and validates it.
#pragma once

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

NetworkPolicy decode_network_policy(const Field& root, const ObjectName& name);

} // namespace weir
