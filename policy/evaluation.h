// SPDX-License-Identifier: Apache-2.0
// A verdict for one peer and port by walking the rules one by one: what explain shows, and what the
// painted rows are compared with.
#pragma once

#include <cstdint>

#include "policy/chain.h"
#include "policy/rule_list.h"

namespace weir {

// position: the protocol's and port's, WEIR_PORT_KEY or WEIR_PORT_KEY_OTHER.
Evaluations evaluate(const RuleList& list, const Signature& peer, std::uint32_t position);

} // namespace weir
