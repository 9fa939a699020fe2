// SPDX-License-Identifier: Apache-2.0
// ReferenceGrant of gateway.networking.k8s.io: that routes of other namespaces may have the
// Services of its own as backends.
#pragma once

#include <optional>

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

// Nothing for a grant that lets no route name a Service: it is for a Gateway's Secrets, say.
std::optional<ReferenceGrant> decode_reference_grant(const Field& root, const ObjectName& name);

} // namespace weir
