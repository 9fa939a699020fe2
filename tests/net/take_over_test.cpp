// SPDX-License-Identifier: Apache-2.0
// Two agents of one node: one enforces, the other takes over under traffic, and the first comes
// back when its successor dies.
#include <csignal>
#include <filesystem>

#include "tests/net/two_nodes.h"

namespace weir {
namespace {

using std::chrono::seconds;

// A second agent of the node, with a probe socket.
class Successor {
public:
    explicit Successor(const LabNode& node, const Arguments& options = {})
        : node_(node), socket_(node.directory() + "/successor.sock") {
        Arguments command = node.agent_command();
        command.insert(command.end(), {"--take-over", "--admin-socket", socket_});
        command.insert(command.end(), options.begin(), options.end());
        process_ = BackgroundProcess::start(command, log(), node.netns->path());
    }

    bool enforces() const {
        return node_.weir_json({"status"})["pid"] == process_.pid() && probe("readyz").ok();
    }
    CommandResult probe(const std::string& question) const {
        return node_.weir({"probe", question, "--admin-socket", socket_});
    }
    std::string log() const { return node_.directory() + "/successor.log"; }
    BackgroundProcess& process() { return process_; }

private:
    const LabNode& node_;
    std::string socket_;
    BackgroundProcess process_;
};

class TakeOverTest : public TwoNodes {
protected:
    TakeOverTest() {
        lab_.write_manifest("policy.yaml", allow("web", "client", "server", 80) + "---\n" +
                                               allow("dns", "client", "server", 53, "UDP"));
        client_node_.start_agent();
        server_node_.start_agent({"--admin-socket", first_socket()});
        lab_.add_endpoints();
    }

    std::string first_socket() const { return server_node_.directory() + "/first.sock"; }
    CommandResult probe_first(const std::string& question) const {
        return server_node_.weir({"probe", question, "--admin-socket", first_socket()});
    }
    bool first_enforces() const {
        return server_node_.weir_json({"status"})["pid"] == server_node_.agent_pid() &&
               probe_first("readyz").ok();
    }
};
WEIR_FOR_BOTH_WIRINGS(TakeOverTest);

TEST_P(TakeOverTest, TrafficSeesNothingAndTheFirstComesBack) {
    ASSERT_TRUE(probe_first("readyz").ok());
    TcpConnection connection(*client_.netns, server_.v4, 80);
    UdpStream stream(*client_.netns, server_.v6, 53);
    ASSERT_TRUE(connection.exchange());

    Successor successor(server_node_);
    ASSERT_TRUE(eventually([&] { return successor.enforces(); }, seconds(20)))
        << read_file(successor.log());
    EXPECT_TRUE(eventually([&] { return probe_first("livez").ok(); })) << "it lives on";
    const auto standby = probe_first("readyz");
    EXPECT_EQ(standby.status, 1);
    EXPECT_NE(standby.out.find("standing by"), std::string::npos) << standby.out << standby.err;
    EXPECT_EQ(server_node_.weir_json({"endpoint", "list"})["endpoints"].size(), 2u);
    EXPECT_EQ(reach(neighbour_, server_), "none");
    EXPECT_TRUE(connection.exchange());
    EXPECT_TRUE(eventually([&] { return server_node_.metric("weir_endpoints") == 2; }))
        << "the successor has the address of the metrics";
    lab_.apply("late.yaml", allow("late", "neighbour", "server", 81));
    EXPECT_EQ(reach(neighbour_, server_, 81), "46") << "and follows the policies";

    successor.process().end(SIGKILL);
    EXPECT_EQ(reach(client_, server_), "46");
    EXPECT_EQ(reach(neighbour_, server_), "none");
    ASSERT_TRUE(eventually([&] { return first_enforces(); }, seconds(20)))
        << server_node_.agent_log();
    lab_.remove_manifest("late.yaml");
    ASSERT_TRUE(lab_.settle());
    EXPECT_EQ(reach(neighbour_, server_, 81), "none");
    EXPECT_TRUE(connection.exchange());
    const auto count = stream.finish();
    EXPECT_GT(count.sent, 500u);
    EXPECT_EQ(count.answered, count.sent);
}

TEST_P(TakeOverTest, AHungAgentIsWaitedFor) {
    ASSERT_EQ(::kill(server_node_.agent_pid(), SIGSTOP), 0);
    Successor successor(server_node_);
    const auto says_why = [&] {
        const auto ready = successor.probe("readyz");
        return ready.status == 1 && ready.out.find("has not yielded") != std::string::npos;
    };
    ASSERT_TRUE(eventually(says_why, seconds(20))) << successor.probe("readyz").out;
    EXPECT_TRUE(successor.probe("livez").ok());
    EXPECT_EQ(reach(client_, server_), "46");
    EXPECT_EQ(reach(neighbour_, server_), "none");
    server_node_.kill_agent();
    EXPECT_TRUE(eventually([&] { return successor.enforces(); }, seconds(20)))
        << read_file(successor.log());
    EXPECT_EQ(reach(neighbour_, server_), "none");
}

TEST_P(TakeOverTest, ADeadAgentIsNotWaitedFor) {
    server_node_.kill_agent();
    Successor successor(server_node_);
    EXPECT_TRUE(eventually([&] { return successor.enforces(); }, seconds(20)))
        << read_file(successor.log());
    EXPECT_EQ(reach(client_, server_), "46");
    EXPECT_EQ(reach(neighbour_, server_), "none");
}

// A policy for the server with as many address blocks.
std::string blocks(int count) {
    std::string peers;
    for (int i = 0; i < count; ++i)
        peers += (i == 0 ? "" : ", ") + ("{ipBlock: {cidr: 100." + std::to_string(64 + i / 256)) +
                 "." + std::to_string(i % 256) + ".0/24}}";
    return policy("blocks", "{podSelector: {matchLabels: {app: server}}, ingress: [{from: [" +
                                peers + "]}]}");
}

TEST_P(TakeOverTest, WhoCouldNotEnforceTheStateDoesNotAsk) {
    lab_.apply("blocks.yaml", blocks(12'000));
    Successor successor(server_node_, {"--map-memory", "16MiB"});
    const auto says_why = [&] {
        return successor.probe("readyz").out.find("shop/blocks") != std::string::npos;
    };
    ASSERT_TRUE(eventually(says_why, seconds(20))) << successor.probe("readyz").out;
    EXPECT_TRUE(first_enforces());
    lab_.remove_manifest("blocks.yaml");
    EXPECT_TRUE(eventually([&] { return successor.enforces(); }, seconds(20)))
        << read_file(successor.log());
}

TEST_P(TakeOverTest, AProbeWithoutAnAgentSaysSo) {
    const auto none = server_node_.weir({"probe", "livez", "--admin-socket", "/nonexistent.sock"});
    EXPECT_EQ(none.status, 1);
    EXPECT_NE(none.err.find("/nonexistent.sock"), std::string::npos) << none.err;
    EXPECT_EQ(server_node_.weir({"probe", "livez"}).status, 2) << "no socket";
}

} // namespace
} // namespace weir
