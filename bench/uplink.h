// SPDX-License-Identifier: Apache-2.0
// Packets from outside to a service: the shipped XDP program beside bare lookups and inserts of a
// map like weir_uplink_nat.
#pragma once

#include "bench/report.h"
#include "loader/result.h"

namespace weir::bench {

// In the calling thread's network namespace, which it gives an interface and routes.
Result<> measure_uplink(Report& report, int rounds);

} // namespace weir::bench
