// SPDX-License-Identifier: Apache-2.0
// The shipped programs by BPF_PROG_TEST_RUN beside bare map operations.
#pragma once

#include "bench/report.h"
#include "loader/result.h"

namespace weir::bench {

// Needs CAP_BPF and CAP_NET_ADMIN. rounds: how often everything is measured, interleaved.
Result<> measure_dataplane(Report& report, int rounds);

} // namespace weir::bench
