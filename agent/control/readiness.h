// SPDX-License-Identifier: Apache-2.0
// Whether the node's policy is in force, for /readyz and `weir status`.
#pragma once

#include <string>

#include "agent/control/context.h"

namespace weir {

// Whether this agent has brought a revision into force. It stays so while the source is away: the
// last state is enforced.
bool is_ready(const ControlContext& context);

// "ok", with a word on a source that is away, or what is waited for.
std::string readiness_text(const ControlContext& context);

} // namespace weir
