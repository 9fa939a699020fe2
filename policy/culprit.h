// SPDX-License-Identifier: Apache-2.0
// The policy to name when a revision does not fit: the one behind most of its new entries.
#pragma once

#include <string>
#include <string_view>

#include "policy/plan.h"

namespace weir {

// "NetworkPolicy shop/web". Policies with rules that are new since the last commit come first.
// Empty when no policy is behind the entries of that map (a name of DoesNotFit).
std::string culprit_of(std::string_view map, const Plan& plan, const Desired& desired,
                       const Mirror& mirror);

} // namespace weir
