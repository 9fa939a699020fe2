// SPDX-License-Identifier: Apache-2.0
// The memory budget of the maps: an agent that starts with another one moves its policy to maps of
// other sizes under traffic, and what does not fit one budget comes into force with a larger one.
#include "tests/net/two_nodes.h"

namespace weir {
namespace {

constexpr double kMebibyte = 1 << 20;

class BudgetTest : public TwoNodes {
protected:
    // TCP 80 and UDP 53 for the client.
    void apply_allow() {
        lab_.write_manifest("policy.yaml", allow("web", "client", "server", 80) + "---\n" +
                                               allow("dns", "client", "server", 53, "UDP"));
    }
    void restart(const std::string& budget) {
        server_node_.kill_agent();
        server_node_.start_agent({"--map-memory", budget});
    }
    double rules() const { return server_node_.metric("weir_map_max_entries{map=\"weir_rules\"}"); }
};
INSTANTIATE_TEST_SUITE_P(Wirings, BudgetTest, testing::Values(Wiring::kBridged), wiring_name);

TEST_P(BudgetTest, AnotherBudgetLosesNoPacket) {
    start();
    apply_allow();
    ASSERT_TRUE(lab_.settle());
    TcpConnection connection(*client_.netns, server_.v4, 80);
    UdpStream stream(*client_.netns, server_.v6, 53);
    ASSERT_TRUE(connection.exchange());
    const double rules_of_default = rules();

    for (const char* budget : {"192MiB", "32MiB", "96MiB"}) {
        restart(budget);
        EXPECT_EQ(reach(client_, server_), "46") << budget;
        EXPECT_EQ(reach(neighbour_, server_), "none") << budget;
        EXPECT_TRUE(connection.exchange()) << budget;
        if (std::string(budget) == "192MiB") {
            EXPECT_GT(rules(), rules_of_default);
        }
        if (std::string(budget) == "32MiB") {
            EXPECT_LT(rules(), rules_of_default);
            const auto status = server_node_.weir_json({"status"});
            EXPECT_NE(status["problems"].dump().find("weir_flows"), std::string::npos)
                << "its flows are in a larger map: " << status["problems"];
        }
    }
    EXPECT_EQ(rules(), rules_of_default);
    const auto count = stream.finish();
    EXPECT_GT(count.sent, 500u);
    EXPECT_EQ(count.answered, count.sent);

    const auto memory = server_node_.weir_json({"status"})["map_memory"];
    EXPECT_EQ(server_node_.metric("weir_map_budget_bytes"), 96 * kMebibyte);
    EXPECT_EQ(memory["budget"], std::to_string(96 << 20));
    EXPECT_GT(std::stod(memory["used"].get<std::string>()), 20 * kMebibyte);
    EXPECT_LT(std::stod(memory["used"].get<std::string>()),
              std::stod(memory["most"].get<std::string>()));
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

TEST_P(BudgetTest, WhatDoesNotFitComesIntoForceWithMoreMemory) {
    apply_allow();
    client_node_.start_agent();
    server_node_.start_agent({"--map-memory", "16MiB"});
    lab_.add_endpoints();
    UdpStream stream(*client_.netns, server_.v4, 53);
    lab_.write_manifest("blocks.yaml", blocks(12'000));
    lab_.write_manifest("late.yaml", allow("late", "neighbour", "server", 81));
    ASSERT_TRUE(eventually([&] {
        return server_node_.weir_json({"status"})["does_not_fit"]["culprit"] ==
               "NetworkPolicy shop/blocks";
    })) << server_node_.weir_json({"status"});
    EXPECT_EQ(reach(neighbour_, server_, 81), "none") << "nothing of the new state is in force";
    EXPECT_EQ(reach(client_, server_), "46");
    EXPECT_NE(server_node_.weir({"status"}).out.find("--map-memory"), std::string::npos);

    restart("64MiB");
    EXPECT_TRUE(server_node_.weir_json({"status"})["does_not_fit"].is_null());
    EXPECT_EQ(reach(neighbour_, server_, 81), "46");
    EXPECT_EQ(reach(client_, server_), "46");
    const auto count = stream.finish();
    EXPECT_EQ(count.answered, count.sent);
}

} // namespace
} // namespace weir
