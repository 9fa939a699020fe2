// SPDX-License-Identifier: Apache-2.0
// security.istio.io/v1 AuthorizationPolicy, what layer 4 can judge of it, as Istio validates it.
#pragma once

#include <optional>

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

// Nothing when Weir does not enforce the policy (the actions CUSTOM and AUDIT, and targetRefs), and
// reported as a warning; then it is no object in force, whatever it was before.
std::optional<AuthorizationPolicy> decode_authorization_policy(const Field& root,
                                                               const ObjectName& name);

} // namespace weir
