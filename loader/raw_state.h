// SPDX-License-Identifier: Apache-2.0
// Reads what an earlier agent left in the maps.
#pragma once

#include "loader/dataplane.h"
#include "loader/maps.h"
#include "loader/result.h"

namespace weir {

Result<RawState> read_raw_state(const Maps& maps);

} // namespace weir
