// SPDX-License-Identifier: Apache-2.0
// The daemon: wiring and the order of start and stop, nothing else.
#pragma once

#include "loader/result.h"

namespace weir {

struct Config;

// Runs until SIGTERM or SIGINT; policy stays in force afterwards. Fails when it cannot start.
Result<> run_agent(const Config& config);

} // namespace weir
