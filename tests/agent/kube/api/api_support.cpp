// SPDX-License-Identifier: Apache-2.0
#include "tests/agent/kube/api/api_support.h"

#include <fmt/format.h>

#include <boost/asio/executor_work_guard.hpp>

#include "agent/kube/kind.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

std::string name_of(const ObjectKey& key) {
    return key.name.ns.get() + "/" + key.name.name.get();
}

} // namespace

std::string policy_json(std::string_view ns, std::string_view name, std::string_view label,
                        std::string_view version) {
    return fmt::format(
        R"({{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{{"namespace":"{}",)"
        R"("name":"{}","resourceVersion":"{}"}},"spec":{{"podSelector":{{"matchLabels":)"
        R"({{"app":"{}"}}}},"ingress":[{{}}]}}}})",
        ns, name, version, label);
}

std::string list_json(std::string_view version, const std::vector<std::string>& items,
                      std::string_view next) {
    return fmt::format(
        R"({{"kind":"List","metadata":{{"resourceVersion":"{}","continue":"{}"}},"items":[{}]}})",
        version, next, fmt::join(items, ","));
}

std::string event_json(std::string_view type, std::string_view object) {
    return fmt::format(R"({{"type":"{}","object":{}}})", type, object) + "\n";
}

std::string status_json(unsigned code, std::string_view message) {
    return fmt::format(R"({{"kind":"Status","code":{},"message":"{}"}})", code, message);
}

void answer_not_found(test::Wire& wire) {
    wire.answer("404 Not Found", "404 page not found\n");
}

FollowedApi::FollowedApi(test::ScriptedApi::Options options) : api_(options) {
    access_.server = {.scheme = options.certificate == nullptr ? "http" : "https",
                      .user = "",
                      .host = "127.0.0.1",
                      .port = api_.port(),
                      .path = ""};
}

ApiTimings FollowedApi::quick() {
    ApiTimings timings;
    timings.connect = 2s;
    timings.answer = 2s;
    timings.first_retry = 5ms;
    timings.longest_retry = 100ms;
    timings.settled = 500ms;
    timings.absent = 1min;
    timings.doubt = 5ms;
    return timings;
}

void FollowedApi::start(const ApiTimings& timings) {
    source_ = std::make_unique<ApiSource>(
        context_, [this]() -> Result<ApiAccess> { return access_; }, watched_kinds(false),
        [this](const Change& change) {
            ++changes_;
            for (const auto& key : change.erasures)
                policies_.erase(name_of(key));
            for (const auto& object : change.upserts) {
                if (object.as<NetworkPolicy>() == nullptr) continue;
                policies_[name_of(key_of(object))] = selected_label(object);
            }
        },
        [this](const Problem& problem) { problems_.push_back(problem); }, timings);
    const auto started = source_->start();
    ASSERT_TRUE(started) << started.error().what;
}

bool FollowedApi::becomes(const std::function<bool()>& holds) {
    const auto work = boost::asio::make_work_guard(context_);
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        context_.run_for(5ms);
    }
    return true;
}

void FollowedApi::run_for(std::chrono::milliseconds time) {
    const auto work = boost::asio::make_work_guard(context_);
    context_.run_for(time);
}

bool FollowedApi::becomes(const std::string& policy, const std::string& label) {
    return becomes([&] {
        const auto found = policies_.find(policy);
        return (found == policies_.end() ? "" : found->second) == label;
    });
}

bool FollowedApi::becomes_away(std::string_view why) {
    return becomes([&] {
        const auto away = source_->status().away;
        return away && away->why.find(why) != std::string::npos;
    });
}

bool FollowedApi::comes_back() {
    return becomes([&] { return !source_->status().away; });
}

} // namespace weir
