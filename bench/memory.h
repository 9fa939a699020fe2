// SPDX-License-Identifier: Apache-2.0
// What an agent holds in memory with the workload's cluster on its hands.
#pragma once

#include <string>

#include "bench/report.h"
#include "bench/workload.h"
#include "loader/result.h"

namespace weir::bench {

// Adds a figure of that name, with its limit in MB. Starts the real agent (environment variable
// WEIR_PROGRAM) on the workload as manifests, with all local pods as endpoints, and looks 10 s
// later.
Result<> measure_memory(Report& report, const std::string& name, const WorkloadSize& size,
                        double limit);

} // namespace weir::bench
