// SPDX-License-Identifier: Apache-2.0
// Lists and watches as an API server that is well serves them, and what a change becomes.
#include "agent/kube/api/api_source.h"

#include <gmock/gmock.h>

#include <atomic>

#include "tests/agent/kube/api/api_support.h"

namespace weir {
namespace {

using test::ScriptedRequest;
using test::Wire;
using testing::HasSubstr;
using testing::StartsWith;
using namespace std::chrono_literals;

TEST_F(FollowedApi, TheFirstChangeHoldsEveryKindAtOnce) {
    std::atomic<bool> are_pods_served = false;
    const test::StopAtEnd stop(api_);
    api_.on(kPolicies, [](const ScriptedRequest& request, Wire& wire) {
        if (request.is_watch()) return wire.hold();
        wire.answer("200 OK", list_json("5", {policy_json("x", "a", "web", "4")}));
    });
    api_.on(kPods, [&](const ScriptedRequest& request, Wire& wire) {
        if (!are_pods_served) return wire.answer("503 Service Unavailable", "starting");
        if (request.is_watch()) return wire.hold();
        wire.answer("200 OK", list_json("5", {}));
    });
    start();
    run_for(300ms);
    EXPECT_EQ(changes_, 0U);
    EXPECT_FALSE(source_->status().has_synced);
    EXPECT_THAT(source_->status().waiting_for, StartsWith("pods of Kubernetes API http://"));
    are_pods_served = true;
    EXPECT_TRUE(becomes("x/a", "web"));
    EXPECT_EQ(changes_, 1U);
    EXPECT_TRUE(source_->status().has_synced);
}

TEST_F(FollowedApi, AnEmptyClusterIsAChangeToo) {
    start();
    EXPECT_TRUE(becomes([&] { return changes_ == 1; }));
    EXPECT_TRUE(source_->status().has_synced);
    EXPECT_FALSE(source_->status().away);
}

TEST_F(FollowedApi, ReadsPageAfterPage) {
    api_.on(kPolicies, [](const ScriptedRequest& request, Wire& wire) {
        if (request.is_watch()) return wire.hold();
        if (request.query == "?limit=2000") {
            return wire.answer("200 OK",
                               list_json("7", {policy_json("x", "a", "one", "1")}, "a/b="));
        }
        wire.answer("200 OK", list_json("7", {policy_json("x", "b", "two", "2")}));
    });
    start();
    EXPECT_TRUE(becomes("x/b", "two"));
    EXPECT_TRUE(becomes("x/a", "one"));
    EXPECT_EQ(changes_, 1U);
    const auto requests = api_.requests(kPolicies);
    ASSERT_GE(requests.size(), 2U);
    EXPECT_EQ(requests[1].query, "?limit=2000&continue=a%2Fb%3D");
    EXPECT_TRUE(becomes([&] { return api_.requests(kPolicies).size() == 3; }));
    EXPECT_THAT(api_.requests(kPolicies)[2].query,
                StartsWith("?watch=1&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds="));
}

TEST_F(FollowedApi, AListThatExpiresBetweenPagesBeginsAnew) {
    std::atomic<int> lists = 0;
    const test::StopAtEnd stop(api_);
    api_.on(kPolicies, [&](const ScriptedRequest& request, Wire& wire) {
        if (request.is_watch()) return wire.hold();
        if (request.query != "?limit=2000") {
            return wire.answer("410 Gone", status_json(410, "continue expired"));
        }
        const bool is_first = lists++ == 0;
        wire.answer("200 OK", list_json("7", {policy_json("x", is_first ? "old" : "new", "w", "1")},
                                        is_first ? "next" : ""));
    });
    start();
    EXPECT_TRUE(becomes("x/new", "w"));
    EXPECT_FALSE(policies_.contains("x/old"));
}

TEST_F(FollowedApi, EventsChangeWhatIsInForceHoweverTheyAreCut) {
    api_.on(kPolicies, [](const ScriptedRequest& request, Wire& wire) {
        if (!request.is_watch()) {
            return wire.answer("200 OK", list_json("5", {policy_json("x", "a", "web", "4")}));
        }
        const std::string events = event_json("MODIFIED", policy_json("x", "a", "new", "6")) +
                                   event_json("ADDED", policy_json("x", "b", "web", "7")) +
                                   event_json("ADDED", policy_json("x", "c", "web", "8")) +
                                   event_json("DELETED", policy_json("x", "b", "web", "9"));
        wire.begin_chunks();
        for (std::size_t at = 0; at < events.size(); at += 7)
            wire.chunk(std::string_view(events).substr(at, 7));
        wire.hold();
    });
    start();
    EXPECT_TRUE(becomes("x/a", "new"));
    EXPECT_TRUE(becomes("x/c", "web"));
    EXPECT_TRUE(becomes("x/b", ""));
}

TEST_F(FollowedApi, AWatchThatEndsIsResumedFromItsLastVersion) {
    std::atomic<int> watches = 0;
    const test::StopAtEnd stop(api_);
    api_.on(kPolicies, [&](const ScriptedRequest& request, Wire& wire) {
        if (!request.is_watch()) return wire.answer("200 OK", list_json("5", {}));
        wire.begin_chunks();
        switch (watches++) {
            case 0: // ends as the server's time-out has it
                wire.chunk(event_json("ADDED", policy_json("x", "a", "web", "6")));
                return wire.send("0\r\n\r\n");
            case 1: // is cut after a bookmark
                wire.chunk(event_json("BOOKMARK", R"({"metadata":{"resourceVersion":"40"}})"));
                return wire.cut();
            default:
                wire.chunk(event_json("ADDED", policy_json("x", "b", "web", "41")));
                wire.hold();
        }
    });
    start();
    EXPECT_TRUE(becomes("x/b", "web"));
    const auto requests = api_.requests(kPolicies);
    ASSERT_EQ(requests.size(), 4U) << "one list: nothing is read twice";
    EXPECT_THAT(requests[1].query, HasSubstr("resourceVersion=5&"));
    EXPECT_THAT(requests[2].query, HasSubstr("resourceVersion=6&"));
    EXPECT_THAT(requests[3].query, HasSubstr("resourceVersion=40&"));
    EXPECT_EQ(changes_, 3U);
}

TEST_F(FollowedApi, AKindWithoutDefinitionIsEmptyUntilItComes) {
    const std::string kind = "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies";
    const std::string definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    std::atomic<bool> is_served = false;
    const test::StopAtEnd stop(api_);
    api_.on(kind, [&](const ScriptedRequest& request, Wire& wire) {
        if (!is_served) return answer_not_found(wire);
        if (request.is_watch()) return wire.hold();
        wire.answer("200 OK", list_json("5", {}));
    });
    api_.on(definitions, [&](const ScriptedRequest& request, Wire& wire) {
        if (!request.is_watch()) return wire.answer("200 OK", list_json("5", {}));
        wire.begin_chunks();
        while (!is_served)
            std::this_thread::sleep_for(5ms);
        wire.chunk(event_json("ADDED", R"({"metadata":{"resourceVersion":"6","name":)"
                                       R"("clusternetworkpolicies.policy.networking.k8s.io"}})"));
        wire.hold();
    });
    start();
    EXPECT_TRUE(becomes([&] { return source_->status().has_synced; }));
    EXPECT_FALSE(source_->status().away);
    const auto before = api_.requests(kind).size();
    run_for(200ms);
    EXPECT_EQ(api_.requests(kind).size(), before) << "nothing is asked again and again";
    is_served = true;
    EXPECT_TRUE(becomes([&] {
        const auto requests = api_.requests(kind);
        return !requests.empty() && requests.back().is_watch();
    }));
}

TEST_F(FollowedApi, AnObjectThatCannotBeUsedKeepsItsLastValidVersion) {
    api_.on(kPolicies, [&](const ScriptedRequest& request, Wire& wire) {
        if (!request.is_watch()) {
            return wire.answer("200 OK", list_json("5", {policy_json("x", "a", "web", "4")}));
        }
        std::string bad = policy_json("x", "a", "web", "6");
        bad.replace(bad.find("[{}]"), 4, R"([{"ports":[{"protocol":"ICMP"}]}])");
        wire.begin_chunks();
        wire.chunk(event_json("MODIFIED", bad));
        wire.hold();
    });
    start();
    EXPECT_TRUE(becomes([&] { return !problems_.empty(); }));
    EXPECT_EQ(policies_.at("x/a"), "web");
    const SourceStatus status = source_->status();
    ASSERT_EQ(status.kept.size(), 1U);
    EXPECT_THAT(to_string(status.problems.at(0)),
                StartsWith("NetworkPolicy x/a: spec.ingress[0].ports[0].protocol:"));
}

TEST_F(FollowedApi, DestroyingItStopsItAtOnce) {
    start();
    EXPECT_TRUE(becomes([&] { return source_->status().has_synced; }));
    source_.reset();
    run_for(100ms);
    EXPECT_EQ(changes_, 1U);
}

} // namespace
} // namespace weir
