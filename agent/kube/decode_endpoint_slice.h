// SPDX-License-Identifier: Apache-2.0
// discovery.k8s.io/v1 EndpointSlice.
#pragma once

#include <optional>

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

// Nothing for addressType FQDN, which no proxy can use and which is reported.
std::optional<EndpointSlice> decode_endpoint_slice(const Field& root, const ObjectName& name);

} // namespace weir
