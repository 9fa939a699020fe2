// SPDX-License-Identifier: Apache-2.0
#include "agent/report/findings.h"

#include <fmt/format.h>

#include <utility>

#include "agent/kube/unknown_field.h"

namespace weir {
namespace {

constexpr std::chrono::seconds kTurn{10}; // until the next node tells what the one before did not

// How long this node waits with what all nodes see; nothing: it is for others to tell.
std::optional<Turns::Duration> delay_of(const std::string& uid, const Turns& turns) {
    const auto before = turns.before(uid);
    if (before >= kMostTellers) return std::nullopt;
    return turns.jitter(uid) + kTurn * before;
}

// The API server knows the field, else it were not there: it is newer than Weir. Of a policy that
// matters; a Service would have one such field as all others.
bool is_worth_telling(const Problem& problem, Kind kind) {
    return is_policy_kind(kind) || problem.what != kUnknownField;
}

const char* action_of(Kind kind) {
    return is_service_kind(kind) ? "Balance" : "Enforce";
}

} // namespace

std::string note_of(const Problem& problem) {
    std::string text = problem.field.empty() ? problem.what : problem.field + ": " + problem.what;
    return problem.remedy.empty() ? text : text + "; " + problem.remedy;
}

void add_findings(std::vector<Finding>& findings, const ReportedObject& object,
                  const Turns& turns) {
    const auto delay = delay_of(object.uid, turns);
    if (!delay || object.uid.empty()) return;
    for (const auto& problem : object.problems) {
        if (!is_worth_telling(problem, object.key.kind)) continue;
        const bool is_error = problem.severity == Severity::kError;
        std::string note = note_of(problem);
        if (is_error) {
            note += object.is_kept ? "; the last valid version stays in force"
                                   : "; nothing of it is in force";
        }
        findings.push_back({.object = object.key,
                            .uid = object.uid,
                            .reason = is_error ? "Invalid" : "NotEnforced",
                            .action = action_of(object.key.kind),
                            .note = std::move(note),
                            .delay = *delay});
    }
}

Finding misfit_finding(const DoesNotFit& misfit, const ObjectKey& policy, const std::string& uid,
                       const Turns& turns) {
    return {.object = policy,
            .uid = uid,
            .reason = "DoesNotFit",
            .action = action_of(policy.kind),
            .note = fmt::format("with this policy, what has to be in force on a node does not fit "
                                "{}, which has {} entries; what was in force before stays; raise "
                                "--map-memory, or remove policies, rules or address blocks",
                                misfit.map, misfit.limit),
            .delay = turns.spread(uid)};
}

std::optional<Finding> service_finding(const ServiceProblem& problem, const std::string& uid,
                                       const Turns& turns) {
    using Cause = ServiceProblem::Cause;
    if (problem.cause == Cause::kRoute || uid.empty()) return std::nullopt;
    const bool is_of_node = problem.cause == Cause::kNoRoom;
    const auto delay = is_of_node ? turns.spread(uid) : delay_of(uid, turns);
    if (!delay) return std::nullopt;
    return Finding{.object = {Kind::kService, problem.service},
                   .uid = uid,
                   .reason = is_of_node ? "DoesNotFit" : "AddressTaken",
                   .action = action_of(Kind::kService),
                   .note = problem.note,
                   .delay = *delay};
}

Finding pod_finding(const ObjectName& pod, const std::string& uid, const std::string& reason,
                    const std::string& note) {
    return {.object = {Kind::kPod, pod},
            .uid = uid,
            .reason = reason,
            .action = "Attach",
            .note = note,
            .delay = {}};
}

} // namespace weir
