// SPDX-License-Identifier: Apache-2.0
#include "agent/control/readiness.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "agent/enforcer.h"
#include "agent/kube/source.h"

namespace weir {

bool is_ready(const ControlContext& context) {
    return context.enforcer.revision().is_in_force;
}

std::string readiness_text(const ControlContext& context) {
    const SourceStatus source = context.source.status();
    std::string text = "ok";
    if (!source.has_synced) {
        text = "waiting for " + source.waiting_for;
    } else if (!is_ready(context)) {
        text = "no revision is in force yet";
    }
    if (!source.away) return text;
    const auto since = std::chrono::time_point_cast<std::chrono::seconds>(source.away->since);
    const auto stays = source.has_synced ? "; its last state stays in force" : "";
    return fmt::format("{}; {} is away since {:%FT%TZ}: {}{}", text, source.name,
                       fmt::gmtime(since), source.away->why, stays);
}

} // namespace weir
