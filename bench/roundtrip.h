// SPDX-License-Identifier: Apache-2.0
// Pod to pod over TCP: one byte there and back, with and without Weir on the same wiring, in turns.
#pragma once

#include "bench/report.h"
#include "loader/result.h"

namespace weir::bench {

// Uses the real agent (environment variable WEIR_PROGRAM) on two nodes made of namespaces.
Result<> measure_roundtrip(Report& report, int rounds);

} // namespace weir::bench
