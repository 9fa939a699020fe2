// SPDX-License-Identifier: Apache-2.0
#include "agent/report/status_write.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/kube/kind.h"
#include "agent/report/event.h"
#include "agent/report/finding.h"
#include "agent/utc_time.h"

namespace weir {
namespace {

constexpr std::size_t kMostProblems = 20; // in a message
// "maxLength: 32768"; twenty lines of that are less.
constexpr std::size_t kLongestLine = 1024;

} // namespace

nlohmann::json to_json(const Condition& condition) {
    return {{"type", condition.type},
            {"status", condition.status},
            {"reason", condition.reason},
            {"message", condition.message},
            {"observedGeneration", condition.observed_generation},
            {"lastTransitionTime", condition.last_transition}};
}

void set_transition(Condition& condition, const std::vector<Condition>& written,
                    std::chrono::system_clock::time_point now) {
    const auto same = std::ranges::find_if(written, [&](const Condition& other) {
        return other.type == condition.type && other.status == condition.status &&
               !other.last_transition.empty();
    });
    condition.last_transition = same == written.end() ? utc_text(now) : same->last_transition;
}

std::string message_of(const std::vector<Problem>& problems) {
    std::string text;
    for (std::size_t i = 0; i < problems.size() && i < kMostProblems; ++i) {
        text += (text.empty() ? "" : "\n") + cut_text(note_of(problems[i]), kLongestLine);
    }
    if (problems.size() > kMostProblems) {
        text += fmt::format("\nand {} more", problems.size() - kMostProblems);
    }
    return text;
}

StatusWrite status_write(const ReportedObject& object, std::string content_type,
                         const nlohmann::json& body) {
    StatusWrite write;
    write.object = object.key;
    write.uid = object.uid;
    write.version = object.facts.version;
    const ObjectName& name = object.key.name;
    write.request.method = "PATCH";
    write.request.target =
        fmt::format("{}/{}/status?fieldManager=weir",
                    api_resource(object.key.kind).path(name.ns.get()), name.name.get());
    write.request.accept = "application/json";
    write.request.content_type = std::move(content_type);
    write.request.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return write;
}

} // namespace weir
