// SPDX-License-Identifier: Apache-2.0
// Something of an object that cannot be enforced, as an Event of the Kubernetes API tells it.
#pragma once

#include <chrono>
#include <string>

#include "agent/kube/problem.h"
#include "policy/model.h"

namespace weir {

// "spec.x: what; remedy": of an object that is known.
std::string note_of(const Problem& problem);

struct Finding {
    ObjectKey object;
    std::string uid;    // of the object: an Event without is not shown with it
    std::string reason; // "NotEnforced": what programs look for
    std::string action; // what failed: "Enforce"
    std::string note;   // names the field and the remedy; the object is the Event's already
    // How long to leave it to others to tell.
    std::chrono::steady_clock::duration delay{};

    bool is_same(const Finding& other) const {
        return uid == other.uid && reason == other.reason && note == other.note;
    }
};

} // namespace weir
