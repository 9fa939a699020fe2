// SPDX-License-Identifier: Apache-2.0
// Whether Weir is uninstalled: what the API says of one ConfigMap, by a list, by a watch and after
// an absence.
#include "agent/kube/api/installation.h"

#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "tests/agent/kube/api/api_support.h"

namespace weir {
namespace {

using test::ScriptedRequest;
using test::Wire;
using testing::HasSubstr;
using namespace std::chrono_literals;

const std::string kConfigMaps = "/api/v1/namespaces/kube-system/configmaps";
const std::string kOurs = R"({"metadata":{"name":"weir","resourceVersion":"7"}})";

class InstallationTest : public FollowedApi {
protected:
    void follow() {
        installation_.emplace(
            context_, [this]() -> Result<ApiAccess> { return access_; }, "kube-system", "weir",
            quick());
    }
    // Asks, and says whether the answer came within a moment.
    bool answers_at_once() {
        // An answer may come when nobody waits for it any more.
        const auto is_answered = std::make_shared<std::atomic<bool>>(false);
        installation_->expect_removal(1min, [is_answered] { *is_answered = true; });
        return becomes([&] { return is_answered->load(); });
    }

    std::optional<Installation> installation_;
};

TEST_F(InstallationTest, OnlyOneObjectIsAskedFor) {
    api_.on(kConfigMaps, [](const ScriptedRequest& request, Wire& wire) {
        if (request.is_watch()) return wire.hold();
        wire.answer("200 OK", list_json("9", {kOurs}));
    });
    follow();
    ASSERT_TRUE(becomes([&] { return api_.requests(kConfigMaps).size() == 2; }));
    for (const auto& request : api_.requests(kConfigMaps)) {
        EXPECT_THAT(request.query, HasSubstr("&fieldSelector=metadata.name%3Dweir"));
    }
    EXPECT_FALSE(installation_->is_removed());
}

TEST_F(InstallationTest, ADeletionIsHeardOfAlsoAfterTheQuestion) {
    std::atomic<bool> is_deleted = false;
    const test::StopAtEnd stop(api_);
    api_.on(kConfigMaps, [&](const ScriptedRequest& request, Wire& wire) {
        if (!request.is_watch()) return wire.answer("200 OK", list_json("9", {kOurs}));
        wire.begin_chunks();
        wire.chunk(event_json("MODIFIED", kOurs));
        while (!is_deleted)
            std::this_thread::sleep_for(5ms);
        wire.chunk(event_json("DELETED", kOurs));
        wire.hold();
    });
    follow();
    run_for(100ms);
    EXPECT_FALSE(installation_->is_removed());
    bool is_answered = false;
    installation_->expect_removal(1min, [&] { is_answered = true; });
    run_for(50ms);
    EXPECT_FALSE(is_answered);
    is_deleted = true;
    EXPECT_TRUE(becomes([&] { return is_answered; }));
    EXPECT_TRUE(installation_->is_removed());
}

TEST_F(InstallationTest, ADeletionWhileTheApiWasAwayIsFoundInTheList) {
    std::atomic<int> lists = 0;
    const test::StopAtEnd stop(api_);
    api_.on(kConfigMaps, [&](const ScriptedRequest& request, Wire& wire) {
        if (request.is_watch()) {
            if (lists == 1) return wire.answer("410 Gone", status_json(410, "gone"));
            return wire.hold();
        }
        if (lists++ == 0) return wire.answer("200 OK", list_json("9", {kOurs}));
        wire.answer("200 OK", list_json("20", {}));
    });
    follow();
    EXPECT_TRUE(becomes([&] { return installation_->is_removed(); }));
    EXPECT_TRUE(answers_at_once());
}

TEST_F(InstallationTest, OneThatComesBackIsNoRemoval) {
    api_.on(kConfigMaps, [](const ScriptedRequest& request, Wire& wire) {
        if (!request.is_watch()) return wire.answer("200 OK", list_json("9", {kOurs}));
        wire.begin_chunks();
        wire.chunk(event_json("DELETED", kOurs) + event_json("ADDED", kOurs));
        wire.hold();
    });
    follow();
    run_for(200ms);
    EXPECT_FALSE(installation_->is_removed());
}

// A wrong name, or an answer that RBAC forbids: what is enforced stays.
TEST_F(InstallationTest, WhatWasNeverSeenIsNotRemoved) {
    follow(); // the scripted server knows of none
    bool is_answered = false;
    installation_->expect_removal(200ms, [&] { is_answered = true; });
    EXPECT_TRUE(becomes([&] { return is_answered; }));
    EXPECT_FALSE(installation_->is_removed());
    api_.on(kConfigMaps, [](const ScriptedRequest&, Wire& wire) {
        wire.answer("403 Forbidden", status_json(403, "no"));
    });
    run_for(200ms);
    EXPECT_FALSE(installation_->is_removed());
}

} // namespace
} // namespace weir
