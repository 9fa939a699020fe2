// SPDX-License-Identifier: Apache-2.0
// A write to an object's status subresource, based on one version of the object: the API server
// refuses it when there is a newer one, so that nodes do not undo each other's.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "agent/kube/api/connection.h"
#include "agent/kube/api/object_set.h"

namespace weir {

struct StatusWrite {
    ObjectKey object;
    std::string uid;
    std::string version; // that it is based on
    std::string content; // what is said, without when
    ApiRequest request;
    // How long to leave it to others.
    std::chrono::steady_clock::duration delay{};
};

nlohmann::json to_json(const Condition& condition);

// "lastTransitionTime is the last time the condition transitioned from one status to another": the
// one that is written already, else now.
void set_transition(Condition& condition, const std::vector<Condition>& written,
                    std::chrono::system_clock::time_point now);

// What is wrong with the object, one problem a line, as far as a condition's message may go.
std::string message_of(const std::vector<Problem>& problems);

// A PATCH of the object's status.
StatusWrite status_write(const ReportedObject& object, std::string content_type,
                         const nlohmann::json& body);

} // namespace weir
