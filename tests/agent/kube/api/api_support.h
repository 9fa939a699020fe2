// SPDX-License-Identifier: Apache-2.0
// An ApiSource against a scripted server, run until what a test waits for is so.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kube/api/api_source.h"
#include "tests/agent/kube/manifest_support.h"
#include "tests/support/scripted_api.h"

namespace weir {

inline const std::string kPolicies = "/apis/networking.k8s.io/v1/networkpolicies";
inline const std::string kPods = "/api/v1/pods";

// The API's JSON: a NetworkPolicy that selects app=label, a list, an event of a watch.
std::string policy_json(std::string_view ns, std::string_view name, std::string_view label,
                        std::string_view version);
std::string list_json(std::string_view version, const std::vector<std::string>& items,
                      std::string_view next = "");
std::string event_json(std::string_view type, std::string_view object);
std::string status_json(unsigned code, std::string_view message);
// What an API without a definition answers.
void answer_not_found(test::Wire& wire);

class FollowedApi : public testing::Test {
protected:
    explicit FollowedApi(test::ScriptedApi::Options options = {});

    // Short waits.
    static ApiTimings quick();
    void start(const ApiTimings& timings = quick());
    // Runs the source until that holds; false when it does not within some seconds.
    bool becomes(const std::function<bool()>& holds);
    void run_for(std::chrono::milliseconds time);
    // The policy is in force and selects that label; "": there is none.
    bool becomes(const std::string& policy, const std::string& label);
    bool becomes_away(std::string_view why);
    bool comes_back();

    TemporaryFolder folder_;
    test::ScriptedApi api_;
    ApiAccess access_;
    boost::asio::io_context context_;
    std::unique_ptr<ApiSource> source_;
    std::map<std::string, std::string> policies_; // in force: "x/a" to its label
    std::size_t changes_ = 0;
    std::vector<Problem> problems_;
};

} // namespace weir
