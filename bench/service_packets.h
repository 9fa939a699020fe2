// SPDX-License-Identifier: Apache-2.0
// Services per packet at the pod: what an established flow to a service costs beyond one to its
// backend.
#pragma once

#include "bench/report.h"
#include "loader/result.h"

namespace weir::bench {

// rounds: how often everything is measured, interleaved.
Result<> measure_service_packets(Report& report, int rounds);

} // namespace weir::bench
