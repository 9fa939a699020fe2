// SPDX-License-Identifier: Apache-2.0
// What kube-proxy 1.36 writes for the services of service_rig.h: the chains that a connection of a
// process on the node goes through, in their order and with their comments.
#pragma once

#include <string>

#include "bench/service_rig.h"

namespace weir::bench {

// For iptables-restore: --proxy-mode=iptables (pkg/proxy/iptables/proxier.go).
std::string iptables_rules(const ServiceLoad& load);

// For nft -f: --proxy-mode=nftables (pkg/proxy/nftables/proxier.go).
std::string nftables_rules(const ServiceLoad& load);

} // namespace weir::bench
