// SPDX-License-Identifier: Apache-2.0
// v1 Service.
#pragma once

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

// Whether a label says that another proxy than the cluster's is to serve the Service or use the
// EndpointSlice: service.kubernetes.io/service-proxy-name (KEP-2447) or
// service.kubernetes.io/headless.
bool is_for_another_proxy(const Field& metadata);

Service decode_service(const Field& root, const ObjectName& name);

} // namespace weir
