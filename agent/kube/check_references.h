// SPDX-License-Identifier: Apache-2.0
// What is wrong between objects that are each valid: routes that name Services of another namespace
// without a ReferenceGrant.
#pragma once

#include <vector>

#include "agent/kube/problem.h"
#include "policy/model.h"

namespace weir {

// Warnings, in no order: the grant may be in the cluster, though it is not among the objects.
std::vector<Problem> check_references(const Change& objects);

} // namespace weir
