// SPDX-License-Identifier: Apache-2.0
// The condition weir.io/Enforced of cluster-wide policies: False with what of the policy cannot be
// enforced, and absent where there is nothing to say. What is said is the same on every node.
#pragma once

#include <chrono>
#include <optional>

#include "agent/report/status_write.h"

namespace weir {

// What has to be written so that the status says what is true of the policy; nothing when it does.
std::optional<StatusWrite> policy_status_write(const ReportedObject& policy,
                                               std::chrono::system_clock::time_point now);

} // namespace weir
