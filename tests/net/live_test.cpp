// SPDX-License-Identifier: Apache-2.0
// Policy and label changes while traffic runs: what becomes denied stops at once, what stays
// allowed does not lose a packet, and everybody can see why.
#include "tests/net/two_nodes.h"

namespace weir {
namespace {

class LiveTest : public TwoNodes {};
WEIR_FOR_BOTH_WIRINGS(LiveTest);

TEST_P(LiveTest, DenyCutsEstablishedConnectionsAndAllowRevivesThem) {
    start();
    TcpConnection far4(*client_.netns, server_.v4, 80);
    TcpConnection far6(*client_.netns, server_.v6, 80);
    TcpConnection near(*neighbour_.netns, server_.v4, 80);
    for (auto* connection : {&far4, &far6, &near})
        ASSERT_TRUE(connection->exchange());

    lab_.apply("deny.yaml", deny_ingress("deny", "server"));
    for (auto* connection : {&far4, &far6, &near})
        EXPECT_FALSE(connection->exchange());
    EXPECT_EQ(reach(client_, server_), "none");
    EXPECT_EQ(reach(neighbour_, server_, 53, IPPROTO_UDP), "none");
    EXPECT_EQ(reach(client_, neighbour_), "46");
    EXPECT_EQ(reach(server_, client_), "46") << "the server may still ask, and is answered";

    lab_.remove_manifest("deny.yaml");
    ASSERT_TRUE(lab_.settle());
    for (auto* connection : {&far4, &far6, &near})
        EXPECT_TRUE(connection->exchange(std::chrono::seconds(5))) << "TCP sends again";
    EXPECT_EQ(reach(client_, server_), "46");
}

TEST_P(LiveTest, AllowedTrafficLosesNothingInAChange) {
    start();
    UdpStream far(*client_.netns, server_.v4, 53);
    UdpStream near(*neighbour_.netns, server_.v6, 53);
    lab_.apply("policy.yaml", deny_ingress("deny", "server") + "---\n" +
                                  allow("from-client", "client", "server", 53, "UDP") + "---\n" +
                                  allow("from-neighbour", "neighbour", "server", 53, "UDP"));
    EXPECT_EQ(reach(client_, server_, 80), "none");
    for (int i = 0; i < 10; ++i)
        lab_.apply("other.yaml",
                   policy("other", "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2." +
                                       std::to_string(i) + "/32}}]}]}") +
                       "---\n" + allow("more", i % 2 == 0 ? "client" : "neighbour", "server", 81));
    EXPECT_EQ(reach(neighbour_, server_, 81), "46");
    EXPECT_EQ(reach(client_, server_, 81), "none");
    for (auto* stream : {&far, &near}) {
        const auto count = stream->finish();
        EXPECT_GT(count.sent, 500u);
        EXPECT_EQ(count.answered, count.sent);
    }
}

TEST_P(LiveTest, LabelChangesReachEstablishedConnections) {
    start();
    lab_.apply("policy.yaml", allow("from-client", "client", "server", 80));
    TcpConnection connection(*client_.netns, server_.v6, 80);
    ASSERT_TRUE(connection.exchange());
    EXPECT_EQ(reach(neighbour_, server_), "none");

    client_.labels = {{"app", "suspect"}};
    neighbour_.labels = {{"app", "client"}};
    lab_.write_objects();
    ASSERT_TRUE(lab_.settle());
    EXPECT_FALSE(connection.exchange());
    EXPECT_EQ(reach(client_, server_), "none");
    EXPECT_EQ(reach(neighbour_, server_), "46");

    server_.labels = {{"app", "free"}};
    lab_.write_objects();
    ASSERT_TRUE(lab_.settle());
    EXPECT_EQ(reach(client_, server_), "46") << "no policy selects the server any more";
}

TEST_P(LiveTest, NamespaceLabelsAndBlocksAndEgress) {
    start();
    lab_.set_namespace_labels("shop", {{"team", "fire"}});
    lab_.write_objects();
    lab_.apply("policy.yaml",
               policy("web",
                      "{podSelector: {matchLabels: {app: server}}, ingress: [{from: "
                      "[{ipBlock: {cidr: 203.0.113.0/24}}, {namespaceSelector: {matchLabels: "
                      "{team: fire}}}], ports: [{port: http}]}]}") +
                   "---\n" +
                   policy("mute",
                          "{podSelector: {matchLabels: {app: neighbour}}, policyTypes: "
                          "[Egress]}"));
    EXPECT_EQ(reach(external_, server_), "4") << "no IPv6 block is allowed";
    EXPECT_EQ(reach(external_, server_, 81), "none");
    EXPECT_EQ(reach(client_, server_), "46");
    EXPECT_EQ(reach(neighbour_, server_), "none") << "may send nothing";
    EXPECT_EQ(reach(client_, neighbour_), "46") << "but may answer";
    EXPECT_EQ(reach(neighbour_, external_), "none");

    lab_.set_namespace_labels("shop", {{"team", "water"}});
    lab_.write_objects();
    ASSERT_TRUE(lab_.settle());
    EXPECT_EQ(reach(client_, server_), "none");
    EXPECT_EQ(reach(external_, server_), "4");
}

TEST_P(LiveTest, EveryDenialNamesItsRule) {
    start();
    lab_.apply("nested.yaml",
               "# a comment\n" + allow("only-client", "client", "server", 80) + "---\n" +
                   policy("mute",
                          "{podSelector: {matchLabels: {app: neighbour}}, policyTypes: "
                          "[Egress]}"));
    EXPECT_EQ(reach(client_, server_), "46");
    EXPECT_EQ(reach(external_, server_), "none");
    EXPECT_EQ(reach(neighbour_, client_), "none");

    nlohmann::json ingress;
    ASSERT_TRUE(eventually([&] {
        ingress = denial(server_node_, external_, server_);
        return !ingress.is_null();
    }));
    EXPECT_EQ(ingress["drop_reason"], "policy_deny");
    EXPECT_EQ(ingress["direction"], "ingress");
    EXPECT_EQ(ingress["destination"]["pod"], "server");
    EXPECT_EQ(ingress["ingress"]["rule"]["basis"], "isolation");
    EXPECT_EQ(ingress["ingress"]["rule"]["isolated_by"],
              nlohmann::json::array({"shop/only-client"}));
    EXPECT_EQ(ingress["ingress"]["rule"]["file"], lab_.manifests() + "/nested.yaml");
    EXPECT_EQ(ingress["ingress"]["rule"]["line"], 2);

    const auto egress = denial(server_node_, neighbour_, client_);
    ASSERT_FALSE(egress.is_null());
    EXPECT_EQ(egress["egress"]["rule"]["isolated_by"], nlohmann::json::array({"shop/mute"}));
    EXPECT_TRUE(denial(client_node_, neighbour_, client_).is_null()) << "it never got there";
    EXPECT_GT(drops(server_node_, "ingress", "policy_deny"), 0);
    EXPECT_GT(drops(server_node_, "egress", "policy_deny"), 0);

    const auto denied = server_node_.weir({"explain", "203.0.113.10", "shop/server:80"});
    EXPECT_EQ(denied.status, 1);
    EXPECT_NE(denied.out.find("shop/only-client"), std::string::npos) << denied.out;
    const auto allowed = server_node_.weir_json({"explain", "shop/client", "shop/server:80"});
    EXPECT_EQ(allowed["ingress"]["verdict"], "allow");
    EXPECT_EQ(allowed["ingress"]["rule"]["name"], "only-client");
    EXPECT_EQ(allowed["ingress"]["rule"]["index"], 0);
    for (const char* path : {"/livez", "/readyz", "/healthz"})
        EXPECT_NE(http_get(*server_node_.netns, "127.0.0.1", 9964, path), "") << path;
}

} // namespace
} // namespace weir
