// SPDX-License-Identifier: Apache-2.0
// From decoded objects to the last map write, on real maps.
#pragma once

#include <string>

#include "bench/report.h"
#include "bench/workload.h"
#include "loader/result.h"

namespace weir::bench {

// What a workload must keep.
struct CompileLimits {
    double first_ms = 1000;
    double change_p99_ms = 10;
};

// First compile, then `changes` changes of each kind. Names of figures start with the prefix. Needs
// CAP_BPF.
Result<> measure_compile(Report& report, const std::string& prefix, const WorkloadSize& size,
                         const CompileLimits& limits, int changes);

// How the first compile and a change grow from 1,000 to 100,000 pods, and from 100 to 30,000
// policies.
Result<> measure_growth(Report& report, int changes);

} // namespace weir::bench
