// SPDX-License-Identifier: Apache-2.0
// From decoded objects to the last map write, on real maps.
#pragma once

#include "bench/report.h"
#include "bench/workload.h"
#include "loader/result.h"

namespace weir::bench {

// First compile, then `changes` changes each of pods and of policies. Needs CAP_BPF.
Result<> measure_compile(Report& report, const WorkloadSize& size, int changes);

} // namespace weir::bench
