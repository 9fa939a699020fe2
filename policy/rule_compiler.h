// SPDX-License-Identifier: Apache-2.0
// From one rule of a policy to its compiled form: peers become predicates, ports become positions.
// The id is left to the caller.
#pragma once

#include "policy/compiled_rule.h"
#include "policy/predicate_set.h"

namespace weir {

// A NetworkPolicy's rule. ns is the policy's own namespace.
CompiledRule compile_rule(const Rule& rule, const Symbol& ns, weir_direction direction,
                          PredicateSet& predicates);
CompiledRule compile_rule(const TierRule& rule, weir_direction direction, PredicateSet& predicates);

} // namespace weir
