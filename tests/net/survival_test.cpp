// SPDX-License-Identifier: Apache-2.0
// Agents come, die and return while traffic runs; endpoints come and go; nothing is left at the
// end.
#include <filesystem>
#include <set>

#include "tests/net/two_nodes.h"

namespace weir {
namespace {

class SurvivalTest : public TwoNodes {
protected:
    // TCP 80 for one of them, UDP 53 for the client in any case.
    void apply_allow_for(const std::string& app) {
        lab_.write_manifest("policy.yaml", allow("web", app, "server", 80) + "---\n" +
                                               allow("dns", "client", "server", 53, "UDP"));
    }
};
WEIR_FOR_BOTH_WIRINGS(SurvivalTest);

TEST_P(SurvivalTest, KilledAgentLeavesPolicyAndTrafficAlone) {
    start();
    apply_allow_for("client");
    ASSERT_TRUE(lab_.settle());
    TcpConnection connection(*client_.netns, server_.v4, 80);
    UdpStream stream(*client_.netns, server_.v6, 53);
    ASSERT_TRUE(connection.exchange());

    server_node_.kill_agent();
    EXPECT_EQ(reach(client_, server_), "46") << "new connections too";
    EXPECT_EQ(reach(neighbour_, server_), "none");
    EXPECT_TRUE(connection.exchange());
    server_node_.start_agent();
    EXPECT_EQ(reach(client_, server_), "46");
    EXPECT_EQ(reach(neighbour_, server_), "none");
    EXPECT_TRUE(connection.exchange());
    const auto count = stream.finish();
    EXPECT_GT(count.sent, 500u);
    EXPECT_EQ(count.answered, count.sent);
    EXPECT_EQ(server_node_.weir_json({"endpoint", "list"})["endpoints"].size(), 2u);
}

TEST_P(SurvivalTest, PolicyChangedWhileTheAgentWasAway) {
    start();
    apply_allow_for("client");
    ASSERT_TRUE(lab_.settle());
    TcpConnection connection(*client_.netns, server_.v4, 80);
    UdpStream stream(*client_.netns, server_.v4, 53);
    ASSERT_TRUE(connection.exchange());

    server_node_.kill_agent();
    apply_allow_for("neighbour");
    EXPECT_EQ(reach(neighbour_, server_), "none") << "nobody has read it yet";
    server_node_.start_agent();
    ASSERT_TRUE(lab_.settle());
    EXPECT_EQ(reach(neighbour_, server_), "46");
    EXPECT_EQ(reach(client_, server_), "none");
    EXPECT_FALSE(connection.exchange()) << "established before the change";
    const auto count = stream.finish();
    EXPECT_EQ(count.answered, count.sent) << "allowed before and after";
}

TEST_P(SurvivalTest, RepeatedKillsLoseNoPacket) {
    start();
    apply_allow_for("client");
    ASSERT_TRUE(lab_.settle());
    UdpStream stream(*client_.netns, server_.v4, 53);
    for (int i = 0; i < 5; ++i) {
        server_node_.kill_agent();
        server_node_.start_agent();
        EXPECT_EQ(reach(neighbour_, server_), "none");
    }
    EXPECT_EQ(server_node_.stop_agent(), 0);
    server_node_.start_agent();
    const auto count = stream.finish();
    EXPECT_EQ(count.answered, count.sent);
}

TEST_P(SurvivalTest, AddingAnEndpointBreaksNoAllowedConnection) {
    apply_allow_for("client");
    lab_.start_agents();
    TcpConnection to_server(*client_.netns, server_.v4, 80);
    TcpConnection from_server(*server_.netns, client_.v6, 80);
    TcpConnection denied(*neighbour_.netns, server_.v4, 80);
    UdpStream stream(*client_.netns, server_.v6, 53);
    for (auto* connection : {&to_server, &from_server, &denied})
        ASSERT_TRUE(connection->exchange());

    lab_.add_endpoints();
    EXPECT_TRUE(to_server.exchange());
    EXPECT_TRUE(from_server.exchange());
    EXPECT_FALSE(denied.exchange());
    const auto count = stream.finish();
    EXPECT_EQ(count.answered, count.sent);
}

TEST_P(SurvivalTest, UnknownPodIsRefusedUntilItsObjectArrives) {
    lab_.remove_manifest("cluster.json");
    start();
    EXPECT_EQ(reach(client_, server_), "none");
    EXPECT_EQ(reach(server_, external_), "none");
    EXPECT_EQ(reach(server_node_, server_), "46") << "its own node's probes pass";
    EXPECT_GT(drops(server_node_, "egress", "pod_unknown"), 0);
    const auto status = server_node_.weir_json({"status"});
    EXPECT_EQ(status["unknown_pods"].size(), 2u) << status;

    lab_.write_objects();
    ASSERT_TRUE(lab_.settle());
    EXPECT_EQ(reach(client_, server_), "46");
    EXPECT_EQ(reach(server_, external_), "46");
}

TEST_P(SurvivalTest, EndpointsLeaveWithTheirInterface) {
    start();
    const auto endpoints = [&] {
        return server_node_.weir_json({"endpoint", "list"})["endpoints"].size();
    };
    EXPECT_EQ(endpoints(), 2u);
    lab_.remove_pod(neighbour_);
    EXPECT_TRUE(eventually([&] { return endpoints() == 1; }));
    EXPECT_EQ(reach(client_, server_), "46");

    server_node_.kill_agent();
    lab_.remove_pod(server_);
    server_node_.start_agent();
    EXPECT_TRUE(eventually([&] { return endpoints() == 0; })) << "it went while nobody looked";
}

TEST_P(SurvivalTest, RemovedEndpointIsNotJudged) {
    start();
    lab_.apply("deny.yaml", deny_ingress("deny", "server"));
    EXPECT_EQ(reach(client_, server_), "none");
    EXPECT_TRUE(server_node_.weir({"endpoint", "remove", "shop/server"}).ok());
    EXPECT_EQ(reach(client_, server_), "46");
    EXPECT_EQ(server_node_.weir({"endpoint", "remove", "shop/server"}).status, 1);
    EXPECT_TRUE(lab_.add_endpoint(server_).ok());
    EXPECT_EQ(reach(client_, server_), "none");
}

TEST_P(SurvivalTest, ASecondAgentIsRefused) {
    start();
    const auto second = server_node_.netns->run(server_node_.agent_command());
    EXPECT_NE(second.status, 0);
    EXPECT_NE(second.status, 124) << "it ran";
    EXPECT_NE(second.err.find("agent"), std::string::npos) << second.err;
    EXPECT_TRUE(server_node_.weir({"status"}).ok());
    EXPECT_EQ(reach(client_, server_), "46");
}

// Every program, map and link that is pinned below the folder: "prog 12".
std::set<std::string> pinned_objects(const std::string& folder) {
    std::set<std::string> objects;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.is_directory()) continue;
        for (const char* kind : {"prog", "map", "link"}) {
            const auto shown = run_command({"bpftool", "-j", kind, "show", "pinned", entry.path()});
            const auto object = nlohmann::json::parse(shown.out, nullptr, false);
            if (shown.ok() && object.is_object() && object.contains("id"))
                objects.insert(std::string(kind) + " " + object["id"].dump());
        }
    }
    return objects;
}

TEST_P(SurvivalTest, CleanupLeavesNothing) {
    start();
    lab_.apply("deny.yaml", deny_ingress("deny", "server"));
    EXPECT_EQ(reach(client_, server_), "none");
    const auto objects = pinned_objects(server_node_.bpffs());
    EXPECT_GT(objects.size(), 5u);
    const Arguments cleanup = {"cleanup", "--bpffs", server_node_.bpffs()};
    EXPECT_NE(server_node_.weir(cleanup).status, 0) << "an agent runs";
    EXPECT_EQ(reach(client_, server_), "none");

    EXPECT_EQ(server_node_.stop_agent(), 0);
    EXPECT_EQ(reach(client_, server_), "none") << "policy outlives the agent";
    const auto cleaned = server_node_.weir(cleanup);
    EXPECT_EQ(cleaned.status, 0) << cleaned.err;
    EXPECT_EQ(reach(client_, server_), "46");
    EXPECT_FALSE(std::filesystem::exists(server_node_.bpffs()));
    EXPECT_FALSE(std::filesystem::exists(server_node_.run_directory()));
    const auto net = server_node_.netns->run({"bpftool", "net", "show"});
    EXPECT_EQ(net.out.find("weir"), std::string::npos) << net.out;
    EXPECT_TRUE(eventually([&] {
        for (const auto& object : objects) {
            const auto space = object.find(' ');
            if (run_command(
                    {"bpftool", object.substr(0, space), "show", "id", object.substr(space + 1)})
                    .ok())
                return false;
        }
        return true;
    })) << "the kernel still holds objects of Weir's";
    EXPECT_EQ(server_node_.weir(cleanup).status, 0) << "again, with nothing to do";
}

} // namespace
} // namespace weir
