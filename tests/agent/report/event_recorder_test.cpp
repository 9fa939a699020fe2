// SPDX-License-Identifier: Apache-2.0
// Events to a scripted API server, and to one that is not there.
#include "agent/report/event_recorder.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/agent/report/report_support.h"
#include "tests/support/scripted_api.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using test::finding;
using test::ScriptedRequest;
using test::Wire;
using testing::HasSubstr;
using testing::SizeIs;

const std::string kEvents = "/apis/events.k8s.io/v1/namespaces/shop/events";

class Recorder : public testing::Test {
protected:
    Recorder() {
        access_.server = {
            .scheme = "http", .user = "", .host = "127.0.0.1", .port = api_.port(), .path = ""};
    }

    bool becomes(const std::function<bool()>& holds) {
        const auto deadline = std::chrono::steady_clock::now() + 5s;
        while (!holds() && std::chrono::steady_clock::now() < deadline)
            context_.run_one_for(20ms);
        return holds();
    }

    test::ScriptedApi api_;
    ApiAccess access_;
    boost::asio::io_context context_;
    EventRecorder recorder_{context_, [this] { return Result<ApiAccess>(access_); }, "n1"};
};

TEST_F(Recorder, TheApiGetsTheEvent) {
    api_.on(kEvents, [](const ScriptedRequest&, Wire& wire) { wire.answer("201 Created", "{}"); });
    recorder_.observe({finding("a")});
    EXPECT_TRUE(becomes([&] { return recorder_.counts().created == 1; }));
    const auto requests = api_.requests(kEvents);
    ASSERT_THAT(requests, SizeIs(1));
    EXPECT_EQ(requests[0].method, "POST");
    EXPECT_EQ(requests[0].content_type, "application/json");
    EXPECT_EQ(nlohmann::json::parse(requests[0].body)["note"], "a");
}

TEST_F(Recorder, OneThatIsThereGetsASeriesOfItsOwnNode) {
    const std::string event = kEvents + "/" + event_name(finding("a"));
    api_.on(kEvents, [](const ScriptedRequest&, Wire& wire) { wire.answer("409 Conflict", "{}"); });
    api_.on(event, [](const ScriptedRequest& request, Wire& wire) {
        wire.answer("200 OK", request.method == "GET" ? R"({"reportingInstance":"n1"})" : "{}");
    });
    recorder_.observe({finding("a")});
    EXPECT_TRUE(becomes([&] { return recorder_.counts().repeated == 1; }));
    ASSERT_THAT(api_.requests(event), SizeIs(2));
    EXPECT_THAT(api_.requests(event)[1].body, HasSubstr("\"count\":2"));
}

TEST_F(Recorder, WithoutTheApiItIsCountedAndNobodyWaits) {
    access_.server.port = "1";
    recorder_.observe({finding("a"), finding("b")});
    EXPECT_TRUE(becomes([&] { return recorder_.counts().dropped[EventCounts::kApiAway] == 2; }));
}

TEST_F(Recorder, WhatIsForbiddenIsCountedAsRefused) {
    api_.on(kEvents, [](const ScriptedRequest&, Wire& wire) {
        wire.answer("403 Forbidden", R"({"message":"events is forbidden"})");
    });
    recorder_.observe({finding("a")});
    EXPECT_TRUE(becomes([&] { return recorder_.counts().dropped[EventCounts::kRefused] == 1; }));
}

} // namespace
} // namespace weir
