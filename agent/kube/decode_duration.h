// SPDX-License-Identifier: Apache-2.0
// Durations as Go writes them: "30s", "1m30s", "100ms".
#pragma once

#include <cstdint>
#include <optional>

#include "agent/kube/field.h"

namespace weir {

// Milliseconds; nothing when it is missing, and when it is no positive duration, which is reported.
std::optional<std::uint32_t> decode_duration(const Field& field);

} // namespace weir
