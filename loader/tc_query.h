// SPDX-License-Identifier: Apache-2.0
// What rtnetlink knows about an interface's tc hooks, where libbpf does not ask.
#pragma once

#include <cstdint>
#include <string>

#include "loader/result.h"

namespace weir {

// "clsact", "ingress", or empty if there is neither.
Result<std::string> ingress_qdisc(std::uint32_t ifindex);
// Whether a filter is attached to either side of clsact.
Result<bool> has_filters(std::uint32_t ifindex);

} // namespace weir
