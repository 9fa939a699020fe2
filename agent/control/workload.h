// SPDX-License-Identifier: Apache-2.0
// Pods that were made from one template, as far as their labels tell.
#pragma once

#include <string>
#include <vector>

#include "policy/model.h"

namespace weir {

// The labels that all pods of a workload share: without those that controllers add for themselves
// (pod-template-hash, controller-revision-hash, a stateful set's pod name, a job's ids).
Labels stable_labels(const Labels& labels);

// A short name for people: the usual label for it, else the pod's name without what its controller
// appended.
std::string workload_name(const Pod& pod);

struct Workload {
    std::string ns;
    std::string name;             // unique in the namespace
    Labels labels;                // stable, and the same for all of its pods
    std::vector<const Pod*> pods; // by name
};

// The namespace's pods that have an address of their own, by workload, ordered by name. A label
// that has another value on every pod of a workload's name counts as none.
std::vector<Workload> workloads_of(const std::vector<const Pod*>& pods);

} // namespace weir
