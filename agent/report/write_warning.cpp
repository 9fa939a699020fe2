// SPDX-License-Identifier: Apache-2.0
#include "agent/report/write_warning.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "agent/report/http_status.h"

namespace weir {
namespace {

constexpr std::size_t kLongestText = 300;

// "message" of the Status that the API server answers.
std::string message_of(const std::string& body) {
    const auto status = nlohmann::json::parse(body, nullptr, false);
    if (!status.is_object() || !status.contains("message")) return {};
    return status["message"].is_string() ? status["message"].get<std::string>() : "";
}

} // namespace

void WriteWarning::look_at(const Result<ApiClient::Reply>& reply) {
    std::string why;
    if (!reply) {
        why = reply.error().what;
    } else if (reply->status == http_status::kForbidden) {
        why = fmt::format("{}; grant this agent {} with a ClusterRole", message_of(reply->body),
                          rights_);
    } else if (reply->status >= 400 && reply->status != http_status::kNotFound &&
               reply->status != http_status::kConflict) {
        why = fmt::format("the API server answers {}: {}", reply->status,
                          message_of(reply->body).substr(0, kLongestText));
    } else {
        return;
    }
    if (std::exchange(last_, why) == why) return;
    spdlog::warn("{} cannot be written: {}; enforcement goes on without", what_, why);
}

} // namespace weir
