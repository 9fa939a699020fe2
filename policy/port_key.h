// SPDX-License-Identifier: Apache-2.0
// Looking up a protocol and port in a row, as the BPF programs do.
#pragma once

#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <span>

#include "bpf/abi.h"
#include "policy/compiler.h"

namespace weir {

inline std::uint32_t port_key(std::uint8_t protocol, std::uint16_t port) {
    const bool has_ports =
        protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
    return has_ports ? WEIR_PORT_KEY(protocol, port) : WEIR_PORT_KEY_OTHER;
}

// Fills in verdict and rule. An empty row denies.
inline void decide(std::span<const weir_interval> row, std::uint8_t protocol, std::uint16_t port,
                   Judgement& judgement) {
    const auto next = std::upper_bound(
        row.begin(), row.end(), port_key(protocol, port),
        [](std::uint32_t key, const weir_interval& interval) { return key < interval.start; });
    if (next != row.begin()) {
        const auto verdict = std::prev(next)->verdict;
        judgement.is_allowed = (verdict & WEIR_VERDICT_DENY) == 0;
        judgement.is_own_node_denied = (verdict & WEIR_VERDICT_OWN_NODE) != 0;
        judgement.is_audited = (verdict & WEIR_VERDICT_AUDIT) != 0;
        judgement.rule = WEIR_VERDICT_RULE(verdict);
    }
}

} // namespace weir
