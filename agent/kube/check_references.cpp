// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/check_references.h"

#include <fmt/format.h>

#include "policy/route_reference.h"

namespace weir {

std::vector<Problem> check_references(const Change& objects) {
    ServiceIndex index{Symbol()};
    index.apply(objects);
    std::vector<Problem> problems;
    for (const auto& object : objects.upserts) {
        const auto route = object.as<TrafficRoute>();
        if (route == nullptr) continue;
        for (std::size_t i = 0; i < route->backends.size(); ++i) {
            const auto& backend = route->backends[i];
            if (flaw_of(index, *route, backend) != ReferenceFlaw::kNotPermitted) continue;
            problems.push_back(
                {.severity = Severity::kWarning,
                 .file = route->origin.file.get(),
                 .line = route->origin.line,
                 .column = 0,
                 .object = to_string(key_of(*route)),
                 .field = fmt::format("spec.rules[0].backendRefs[{}].namespace", i),
                 .what = fmt::format("no ReferenceGrant among these files permits it to name "
                                     "Service {}: without one in the cluster, its share of the "
                                     "connections is refused",
                                     backend.service.to_string()),
                 .remedy = grant_remedy(key_of(*route), backend.service.ns)});
        }
    }
    return problems;
}

} // namespace weir
