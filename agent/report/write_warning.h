// SPDX-License-Identifier: Apache-2.0
// Says once that something cannot be written to the Kubernetes API, and again when the reason is
// another one. Nothing that is enforced depends on it.
#pragma once

#include <string>

#include "agent/kube/api/client.h"

namespace weir {

class WriteWarning {
public:
    // what: "Events"; rights: what RBAC has to grant for it.
    WriteWarning(std::string what, std::string rights)
        : what_(std::move(what)), rights_(std::move(rights)) {}

    // For each answer; 404 and conflicts are part of the game.
    void look_at(const Result<ApiClient::Reply>& reply);

private:
    std::string what_;
    std::string rights_;
    std::string last_;
};

} // namespace weir
