// SPDX-License-Identifier: Apache-2.0
// Pod changes at a steady rate in a large cluster, with established flows beside them.
#pragma once

#include "bench/report.h"
#include "bench/workload.h"
#include "loader/result.h"

namespace weir::bench {

// 1,000 pod changes a second on one CPU, packets of an established flow on another. Reports how far
// behind its time a change is in force, and what the packets cost against before. Needs CAP_BPF and
// CAP_NET_ADMIN.
Result<> measure_churn(Report& report, const WorkloadSize& size, int seconds);

} // namespace weir::bench
