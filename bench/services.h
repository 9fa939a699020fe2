// SPDX-License-Identifier: Apache-2.0
// Services at connect time: what the programs add to connect(), their maps' size and loading.
#pragma once

#include "bench/report.h"
#include "loader/result.h"

namespace weir::bench {

// Needs root: makes a cgroup and a network namespace of its own. rounds: how often everything is
// measured, interleaved.
Result<> measure_services(Report& report, int rounds);

} // namespace weir::bench
