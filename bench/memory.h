// SPDX-License-Identifier: Apache-2.0
// What an agent holds in memory with the workload's cluster on its hands.
#pragma once

#include "bench/report.h"
#include "bench/workload.h"
#include "loader/result.h"

namespace weir::bench {

// Starts the real agent (environment variable WEIR_PROGRAM) on the workload as manifests, with all
// local pods as endpoints, and looks 10 s later.
Result<> measure_memory(Report& report, const WorkloadSize& size);

} // namespace weir::bench
