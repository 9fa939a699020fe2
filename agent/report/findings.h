// SPDX-License-Identifier: Apache-2.0
// What of the cluster's objects cannot be enforced now, from all that knows of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/kube/api/object_set.h"
#include "agent/report/finding.h"
#include "agent/report/turns.h"
#include "agent/service/service_problems.h"
#include "policy/transaction.h"

namespace weir {

// Of an object that every node sees alike, that many tell: the others come only to what these did
// not.
inline constexpr std::size_t kMostTellers = 5;

// Objects as the API serves them, for all nodes to tell of; those of which others do are left out.
void add_findings(std::vector<Finding>& findings, const ReportedObject& object, const Turns& turns);

// The policy because of which the newest state does not fit the maps of this node.
Finding misfit_finding(const DoesNotFit& misfit, const ObjectKey& policy, const std::string& uid,
                       const Turns& turns);

// A Service that is left out, or whose address and port another one has. Nothing when it is for
// others to tell; routes are told of by themselves.
std::optional<Finding> service_finding(const ServiceProblem& problem, const std::string& uid,
                                       const Turns& turns);

// Programs of a pod of this node that could not be attached, or were lost.
Finding pod_finding(const ObjectName& pod, const std::string& uid, const std::string& reason,
                    const std::string& note);

} // namespace weir
