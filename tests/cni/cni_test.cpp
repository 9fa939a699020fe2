// SPDX-License-Identifier: Apache-2.0
// What the kubelet sees of weir-cni: pods start with their policy in force or not at all, and go
// without a trace.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <nlohmann/json.hpp>

#include "tests/cni/cni_fixture.h"

namespace weir {
namespace {

using nlohmann::json;
using Names = std::vector<std::string>;
using namespace std::chrono_literals;

constexpr const char* kFirstUid = "5d9f4b0e-6a11-4c5f-9d1c-111111111111";
constexpr const char* kSecondUid = "5d9f4b0e-6a11-4c5f-9d1c-222222222222";

TEST_F(CniTest, PolicyIsInForceWhenAddReturns) {
    lab_.write_manifest("policy.yaml", kOnlyClients);
    lab_.start_agents();
    CniRuntime bridge(bridged_, bridge_conflist(bridged_, 1, "0.4.0"));
    CniRuntime ptp(routed_, ptp_conflist(routed_, 2, "1.0.0"));

    const Pod stranger = start(ptp, "stranger", "other");
    const Pod neighbour = start(bridge, "neighbour", "other");
    const Pod server = start(bridge, "server", "server");
    EXPECT_EQ(reach(stranger, server), "none");
    EXPECT_EQ(reach(neighbour, server), "none");
    const Pod remote_server = start(ptp, "remote", "server");
    EXPECT_EQ(reach(neighbour, remote_server), "none");
    const Pod client = start(bridge, "client", "client");
    EXPECT_EQ(reach(client, server), "46");
    EXPECT_EQ(reach(server, stranger), "46");
    // The other node needs the client's address for that, which its object brings.
    object("Pod", "client",
           {{"metadata", {{"labels", {{"app", "client"}}}}},
            {"spec", {{"nodeName", "n1"}}},
            {"status", {{"podIPs", json::array({{{"ip", client.v4()}}, {{"ip", client.v6()}}})}}}});
    ASSERT_TRUE(lab_.settle());
    EXPECT_EQ(reach(client, remote_server), "46");

    EXPECT_EQ(endpoints(bridged_), (Names{"client", "neighbour", "server"}));
    EXPECT_EQ(endpoints(routed_), (Names{"remote", "stranger"}));
    EXPECT_TRUE(bridge.check(server.sandbox).is_ok);
    EXPECT_TRUE(bridge.status().is_ok);
    // The result is the earlier plugin's, in the configuration's version.
    EXPECT_EQ(server.added.result["cniVersion"], "0.4.0");
    EXPECT_EQ(server.added.result["ips"].size(), 2u);
    EXPECT_EQ(server.added.result["interfaces"].size(), 3u);
}

TEST_F(CniTest, NoPodStartsWithoutTheAgentAndAllStop) {
    CniRuntime bridge(bridged_, bridge_conflist(bridged_, 1, "1.0.0"));
    pod_object("web", "server");
    lab_.write_manifest("policy.yaml", kOnlyClients);
    Pod web = make("web");
    const CniOutcome refused = bridge.add(web.sandbox);
    EXPECT_EQ(refused.failed, "weir-cni");
    EXPECT_EQ(refused.code(), 11);
    EXPECT_NE(refused.result.value("details", "").find("start the agent"), std::string::npos);
    EXPECT_EQ(bridge.status().code(), 50);
    EXPECT_EQ(web.netns->run({"ip", "link", "show", "eth0"}).status, 1) << "undone";

    bridged_.start_agent();
    EXPECT_TRUE(bridge.status().is_ok);
    web.added = bridge.add(web.sandbox);
    ASSERT_TRUE(web.added.is_ok) << web.added.result;
    const Pod stranger = start(bridge, "stranger", "other");
    EXPECT_EQ(reach(stranger, web), "none");

    bridged_.kill_agent();
    EXPECT_EQ(reach(stranger, web), "none") << "policy stays";
    EXPECT_EQ(reach(web, stranger), "46");
    const CniOutcome checked = bridge.check(web.sandbox);
    EXPECT_EQ(checked.code(), 11) << checked.failed << checked.result;
    EXPECT_TRUE(bridge.del(web.sandbox).is_ok);
    EXPECT_TRUE(bridge.del(web.sandbox).is_ok) << "again";
    bridged_.start_agent();
    EXPECT_EQ(endpoints(bridged_), (Names{"stranger"}));
}

TEST_F(CniTest, AddWaitsForTheObject) {
    lab_.write_manifest("policy.yaml", kOnlyClients);
    bridged_.start_agent();
    CniRuntime bridge(bridged_, bridge_conflist(bridged_, 1, "1.0.0"));
    const Pod stranger = start(bridge, "stranger", "other");
    Pod late = make("late");
    auto adding = std::async(std::launch::async, [&] { return bridge.add(late.sandbox); });
    ASSERT_TRUE(eventually([&] { return endpoints(bridged_) == (Names{"late", "stranger"}); }));
    EXPECT_EQ(adding.wait_for(100ms), std::future_status::timeout);
    EXPECT_EQ(bridged_.metric("weir_cni_waiting"), 1);
    pod_object("late", "server");
    late.added = adding.get();
    ASSERT_TRUE(late.added.is_ok) << late.added.result;
    EXPECT_EQ(reach(stranger, late), "none");

    Pod never = make("never");
    const CniOutcome refused = bridge.add(never.sandbox); // two seconds
    EXPECT_EQ(refused.code(), 11);
    EXPECT_NE(refused.result.value("msg", "").find("shop/never"), std::string::npos);
    EXPECT_EQ(endpoints(bridged_), (Names{"late", "stranger"})) << "nothing is left";
    EXPECT_EQ(bridged_.metric("weir_cni_waiting"), 0);
    EXPECT_EQ(bridged_.metric(R"(weir_cni_requests_total{command="ADD",result="ok"})"), 2);
    EXPECT_EQ(bridged_.metric(R"(weir_cni_requests_total{command="ADD",result="error"})"), 1);
}

// Each of the two takes over from the other, again and again.
TEST_F(CniTest, NoAddIsLostWhileAnAgentTakesOver) {
    lab_.write_manifest("policy.yaml", kOnlyClients);
    bridged_.start_agent();
    CniRuntime bridge(bridged_, bridge_conflist(bridged_, 1, "1.0.0"));
    const Pod stranger = start(bridge, "stranger", "other");
    std::atomic<bool> is_over = false;
    std::vector<Pod> pods;
    auto starting = std::async(std::launch::async, [&] {
        while (pods.size() < 5) {
            pods.push_back(start(bridge, "web-" + std::to_string(pods.size()), "server"));
            EXPECT_EQ(reach(stranger, pods.back()), "none") << "protected when it starts";
        }
        is_over = true;
    });
    const std::string log = bridged_.directory() + "/more.log";
    std::vector<BackgroundProcess> agents; // they end with the thread that starts them
    while (!is_over && agents.size() < 20) {
        Arguments command = bridged_.agent_command();
        command.emplace_back("--take-over");
        agents.push_back(BackgroundProcess::start(command, log, bridged_.netns->path()));
        const auto enforces = [&] {
            return bridged_.weir_json({"status"})["pid"] == agents.back().pid();
        };
        EXPECT_TRUE(eventually(enforces, 20s)) << read_file(log);
    }
    starting.get();
    EXPECT_GT(agents.size(), 1u);
    EXPECT_EQ(endpoints(bridged_).size(), pods.size() + 1);
}

// A pod that comes again under its name is not taken for the one before.
TEST_F(CniTest, RecreatedPodIsAnother) {
    lab_.write_manifest("policy.yaml", kOnlyClients);
    bridged_.start_agent();
    CniRuntime bridge(bridged_, bridge_conflist(bridged_, 1, "1.0.0"));
    pod_object("web", "other", kFirstUid);
    const Pod stranger = start(bridge, "stranger", "other");
    Pod first = make("web", kFirstUid);
    first.added = bridge.add(first.sandbox);
    ASSERT_TRUE(first.added.is_ok) << first.added.result;
    EXPECT_EQ(reach(stranger, first), "46");

    Pod second = make("web", kSecondUid);
    auto adding = std::async(std::launch::async, [&] { return bridge.add(second.sandbox); });
    EXPECT_EQ(adding.wait_for(500ms), std::future_status::timeout) << "not with the old labels";
    pod_object("web", "server", kSecondUid);
    second.added = adding.get();
    ASSERT_TRUE(second.added.is_ok) << second.added.result;
    EXPECT_EQ(reach(stranger, second), "none");
    EXPECT_EQ(reach(first, stranger), "none") << "what is left of the old one is closed";

    EXPECT_TRUE(bridge.del(first.sandbox).is_ok);
    EXPECT_EQ(endpoints(bridged_), (Names{"stranger", "web"})) << "the new sandbox stays";
    EXPECT_TRUE(bridge.check(second.sandbox).is_ok);
    EXPECT_EQ(reach(stranger, second), "none");
}

TEST_F(CniTest, GarbageIsWhatTheRuntimeDoesNotKnow) {
    bridged_.start_agent();
    CniRuntime bridge(bridged_, bridge_conflist(bridged_, 1, "1.0.0"));
    const Pod kept = start(bridge, "kept", "other");
    const Pod lost = start(bridge, "lost", "other");
    // Not the plugin's: added by hand.
    const Pod manual = start(bridge, "manual", "other");
    ASSERT_TRUE(bridge.gc({kept.sandbox, lost.sandbox, manual.sandbox}).is_ok);
    EXPECT_EQ(endpoints(bridged_), (Names{"kept", "lost", "manual"}));
    ASSERT_TRUE(bridged_.weir({"endpoint", "remove", "shop/manual"}).ok());
    ASSERT_TRUE(
        bridged_.weir({"endpoint", "add", "shop/manual", "--netns", manual.netns->path()}).ok());
    ASSERT_TRUE(bridge.gc({kept.sandbox}).is_ok);
    EXPECT_EQ(endpoints(bridged_), (Names{"kept", "manual"}));
    const CniOutcome checked = bridge.check(lost.sandbox);
    EXPECT_EQ(checked.code(), 100) << checked.failed << checked.result;
}

TEST_F(CniTest, VersionsAndWrongUse) {
    bridged_.start_agent();
    json conflist = bridge_conflist(bridged_, 1, "1.0.0");
    CniRuntime bridge(bridged_, conflist);
    const Pod web = start(bridge, "web", "other");
    // Debian's plugins end at 1.0.0: the newest version on their result.
    json result = web.added.result;
    result["cniVersion"] = "1.1.0";
    result["interfaces"][2]["mtu"] = 1500; // new in 1.1.0, passed on
    conflist["cniVersion"] = "1.1.0";
    const CniOutcome newest = CniRuntime(bridged_, conflist).add_to(result, web.sandbox);
    ASSERT_TRUE(newest.is_ok) << newest.result;
    EXPECT_EQ(newest.result, result);
    conflist["cniVersion"] = "2.0.0";
    EXPECT_EQ(CniRuntime(bridged_, conflist).add_to(result, web.sandbox).code(), 1);
    conflist["cniVersion"] = "1.1.0";
    EXPECT_EQ(CniRuntime(bridged_, conflist).add_to(json(), web.sandbox).code(), 7);
    Sandbox elsewhere = web.sandbox;
    elsewhere.container = "other";
    elsewhere.netns = "/run/netns/nobody";
    const CniOutcome nowhere = CniRuntime(bridged_, conflist).add_to(result, elsewhere);
    EXPECT_EQ(nowhere.code(), 11);
    EXPECT_NE(nowhere.result.value("msg", "").find("/run/netns/nobody"), std::string::npos);
}

} // namespace
} // namespace weir
