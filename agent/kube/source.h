// SPDX-License-Identifier: Apache-2.0
// Where desired state comes from: a folder of manifests or the Kubernetes API. Behind this
// interface nobody knows which.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/kube/problem.h"
#include "loader/result.h"
#include "policy/model.h"

namespace weir {

// An object that stays in force in its last valid version, because what the source says of it now
// cannot be used.
struct KeptObject {
    ObjectKey key;
    Origin origin; // of the version in force
    std::chrono::system_clock::time_point since;
    std::string why;
};

// A source that cannot be read for now. Its last state stays in force.
struct Absence {
    std::chrono::system_clock::time_point since;
    std::string why; // names what is missing and the remedy
};

struct SourceStatus {
    std::string name;        // "manifests /etc/weir", "Kubernetes API https://10.96.0.1:443"
    bool has_synced = false; // all of it was read once
    std::string waiting_for; // until then: what has not been read
    std::optional<Absence> away;
    std::vector<Problem> problems;
    std::vector<KeptObject> kept;
};

// Lives on the thread that runs the io_context: every function is called there and so are the
// callbacks. Destroying it stops it.
class Source {
public:
    // The first call brings the whole state, even when it is empty; each later one what is new.
    using OnChange = std::function<void(Change)>;
    // Called once for each problem when it appears.
    using OnProblem = std::function<void(const Problem&)>;

    virtual ~Source() = default;

    // Begins to read and to follow. Fails when that can never work as configured.
    virtual Result<> start() = 0;
    virtual SourceStatus status() const = 0;
    // Somebody waits for this pod, of which nothing is known yet. A source that can ask for it by
    // itself does; what it finds is a change like any other.
    virtual void look_for_pod(const ObjectName&) {}
};

} // namespace weir
