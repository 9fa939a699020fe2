// SPDX-License-Identifier: Apache-2.0
#include "agent/report/policy_status.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/kube/kind.h"

namespace weir {
namespace {

std::optional<Condition> desired(const ReportedObject& policy) {
    if (policy.problems.empty()) return std::nullopt;
    const bool is_invalid = std::ranges::find(policy.problems, Severity::kError,
                                              &Problem::severity) != policy.problems.end();
    Condition condition{.type = std::string(kEnforcedCondition),
                        .status = "False",
                        .reason = is_invalid ? "Invalid" : "PartlyEnforced",
                        .message = message_of(policy.problems),
                        .observed_generation = policy.facts.generation,
                        .last_transition = {}};
    // Which nodes these are differs from one to the next: what is written must not, or they would
    // write over each other without end.
    if (is_invalid) {
        condition.message += "\nA node that has read a valid version keeps the last one in force.";
    }
    return condition;
}

} // namespace

std::optional<StatusWrite> policy_status_write(const ReportedObject& policy,
                                               std::chrono::system_clock::time_point now) {
    auto condition = desired(policy);
    const auto& written = policy.facts.enforced;
    if (!condition && !written) return std::nullopt;
    if (condition && written && condition->says_same(*written)) return std::nullopt;
    // Server-side apply: what the field manager does not name any more goes.
    nlohmann::json body = {
        {"apiVersion", api_resource(policy.key.kind).api_version()},
        {"kind", to_string(policy.key.kind)},
        {"metadata",
         {{"name", policy.key.name.name.get()}, {"resourceVersion", policy.facts.version}}}};
    // Never absent: some of the kinds require it.
    nlohmann::json& conditions = body["status"]["conditions"] = nlohmann::json::array();
    if (condition) {
        set_transition(*condition, written ? std::vector{*written} : std::vector<Condition>(), now);
        conditions.push_back(to_json(*condition));
    }
    StatusWrite write = status_write(policy, "application/apply-patch+yaml", body);
    if (condition) write.content = condition->text();
    write.request.target += "&force=true"; // the condition's type is Weir's own
    return write;
}

} // namespace weir
