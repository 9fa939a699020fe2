// SPDX-License-Identifier: Apache-2.0
// The folder of manifests as users and Kubernetes change it: mistakes, swapped symlinks, masses.
#include <filesystem>

#include "tests/net/two_nodes.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

class ManifestsTest : public TwoNodes {
protected:
    bool keeps_last_valid() const {
        const auto status = server_node_.weir_json({"status"});
        for (const auto& problem : status["problems"])
            if (problem["kept_last_valid"] == true) return true;
        return false;
    }
};
INSTANTIATE_TEST_SUITE_P(Wirings, ManifestsTest, testing::Values(Wiring::kBridged), wiring_name);

TEST_P(ManifestsTest, InvalidKeepsTheLastValidAcrossARestart) {
    start();
    lab_.apply("deny.yaml", deny_ingress("deny", "server"));
    EXPECT_EQ(reach(client_, server_), "none");
    EXPECT_FALSE(keeps_last_valid());
    lab_.apply("deny.yaml", policy("deny",
                                   "{podSelector: {matchLabels: {app: server}}, "
                                   "policyTypes: [Sideways]}"));
    EXPECT_EQ(reach(client_, server_), "none");
    EXPECT_TRUE(keeps_last_valid());
    const auto status = server_node_.weir({"status"});
    EXPECT_NE(status.out.find("deny.yaml:"), std::string::npos) << status.out;
    EXPECT_EQ(server_node_.weir_json({"status"})["problems"].size(), 1U) << status.out;

    server_node_.kill_agent();
    server_node_.start_agent();
    EXPECT_EQ(reach(client_, server_), "none");
    EXPECT_TRUE(keeps_last_valid());
    lab_.apply("deny.yaml", "{{{ this is no YAML");
    EXPECT_EQ(reach(client_, server_), "none");
    EXPECT_TRUE(keeps_last_valid());

    lab_.remove_manifest("deny.yaml");
    ASSERT_TRUE(lab_.settle());
    EXPECT_EQ(reach(client_, server_), "46");
    EXPECT_FALSE(keeps_last_valid());
}

TEST_P(ManifestsTest, NeverValidIsAbsentAndDisturbsNothing) {
    start();
    lab_.apply("mixed.yaml",
               policy("bad", "{podSelector: 7}") + "---\n" + deny_ingress("deny", "server") +
                   "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n");
    EXPECT_EQ(reach(client_, server_), "none");
    EXPECT_EQ(reach(client_, neighbour_), "46");
    const auto status = server_node_.weir_json({"status"});
    EXPECT_FALSE(status["problems"].empty());
    EXPECT_EQ(server_node_.weir({"check", lab_.manifests() + "/mixed.yaml"}).status, 1);
}

TEST_P(ManifestsTest, ConfigMapMountSwapsItsSymlink) {
    start();
    const std::string mount = lab_.manifests() + "/mount";
    const auto write_version = [&](const std::string& version, const std::string& content) {
        fs::create_directories(mount + "/" + version);
        write_file(mount + "/" + version + "/policy.yaml", content);
        fs::create_directory_symlink(version, mount + "/..data_tmp");
        fs::rename(mount + "/..data_tmp", mount + "/..data");
    };
    write_version("..2026_1", deny_ingress("mounted", "server"));
    fs::create_symlink("..data/policy.yaml", mount + "/policy.yaml");
    ASSERT_TRUE(lab_.settle());
    EXPECT_TRUE(eventually([&] { return reach(client_, server_) == "none"; }));
    write_version("..2026_2", allow("mounted", "client", "server", 80));
    fs::remove_all(mount + "/..2026_1");
    EXPECT_TRUE(eventually([&] { return reach(client_, server_) == "46"; }));
    EXPECT_EQ(reach(client_, server_, 81), "none");
    EXPECT_EQ(server_node_.weir_json({"policy", "list", "-n", "shop"})["policies"].size(), 1u)
        << "one object, however many paths lead to it";
}

TEST_P(ManifestsTest, AThousandPoliciesAtOnce) {
    start();
    lab_.apply("base.yaml", allow("from-client", "client", "server", 53, "UDP"));
    UdpStream stream(*client_.netns, server_.v4, 53);
    for (int i = 0; i < 1000; ++i)
        lab_.write_manifest("many-" + std::to_string(i) + ".yaml",
                            allow("many-" + std::to_string(i), i == 777 ? "neighbour" : "nobody",
                                  "server", i == 777 ? 80 : 1000 + i));
    ASSERT_TRUE(lab_.settle());
    EXPECT_EQ(reach(neighbour_, server_), "46");
    EXPECT_EQ(reach(client_, server_), "none");
    EXPECT_EQ(server_node_.weir_json({"policy", "list", "-n", "shop"})["policies"].size(), 1001u);
    for (int i = 0; i < 1000; ++i)
        lab_.remove_manifest("many-" + std::to_string(i) + ".yaml");
    ASSERT_TRUE(lab_.settle());
    EXPECT_EQ(reach(neighbour_, server_), "none");
    const auto count = stream.finish();
    EXPECT_EQ(count.answered, count.sent);
}

TEST(ScaleTest, AHundredEndpointsOnOneNode) {
    Lab lab;
    auto& node = lab.add_node("n1", Wiring::kRouted);
    auto& server = lab.add_pod(node, "shop/server",
                               {.labels = {{"app", "server"}}, .ports = {}, .v4 = {}, .v6 = {}});
    lab.servers().listen(*server.netns, 80, IPPROTO_TCP);
    for (int i = 0; i < 100; ++i)
        lab.add_pod(node, "shop/client-" + std::to_string(i),
                    {.labels = {{"app", i % 2 == 0 ? "client" : "other"}},
                     .ports = {},
                     .v4 = {},
                     .v6 = {}});
    lab.write_objects();
    lab.write_manifest("policy.yaml", allow("even", "client", "server", 80));
    lab.start_agents();
    lab.add_endpoints();
    EXPECT_EQ(node.weir_json({"endpoint", "list"})["endpoints"].size(), 101u);
    std::vector<Probe> probes;
    for (const auto& pod : lab.pods())
        if (pod.get() != &server) probes.push_back({pod->netns.get(), server.v6, 80, IPPROTO_TCP});
    const auto answers = probe_all(probes);
    for (std::size_t i = 0; i < answers.size(); ++i)
        EXPECT_EQ(answers[i], i % 2 == 0) << "client-" << i;
}

} // namespace
} // namespace weir
