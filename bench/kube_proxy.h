// SPDX-License-Identifier: Apache-2.0
// connect() to many services: by kube-proxy's rules, iptables and nftables, and by Weir, in turns.
#pragma once

#include "bench/report.h"
#include "loader/result.h"

namespace weir::bench {

// Needs root, iptables-restore and nft: makes a cgroup and network namespaces of its own. rounds:
// how often each is measured; loading the rules is measured once and takes a minute.
Result<> measure_kube_proxy(Report& report, int rounds);

} // namespace weir::bench
