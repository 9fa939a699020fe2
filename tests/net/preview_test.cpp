// SPDX-License-Identifier: Apache-2.0
// Changes seen before they are made, on real flows: explain and the kernel agree, diff tells what a
// policy would cut, suggest's policies cut none of what was seen, and audit cuts nothing at all.
#include <gmock/gmock.h>

#include <fstream>

#include "tests/net/two_nodes.h"

namespace weir {
namespace {

class PreviewTest : public TwoNodes {
protected:
    // A file beside the manifests that no agent reads.
    std::string draft(const std::string& content) {
        const std::string path = drafts_.path() + "/draft.yaml";
        write_file(path, content);
        return path;
    }

    // Flows that the server's node knows, denied or not, once it has seen the last of them.
    bool has_flow(const LabHost& from, const LabHost& to, const std::string& verdict) {
        return eventually([&] {
            for (const auto& flow : server_node_.flows({"--verdict", verdict})) {
                if (flow["source"]["address"] == from.v4 &&
                    flow["destination"]["address"] == to.v4) {
                    return true;
                }
            }
            return false;
        });
    }

    TempDirectory drafts_;
};
INSTANTIATE_TEST_SUITE_P(Wiring, PreviewTest, testing::Values(Wiring::kBridged), wiring_name);

TEST_P(PreviewTest, ExplainShowsTheChainAndTheKernelAgrees) {
    start();
    lab_.apply("policy.yaml", R"(apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: gate}
spec:
  priority: 7
  subject: {namespaces: {}}
  ingress:
  - {name: leave, action: Pass, from: [{namespaces: {}}]}
---
)" + allow("only-client", "client", "server", 80));
    for (const char* family : {"IPv4", "IPv6"}) {
        const auto allowed = server_node_.weir_json(
            {"explain", "shop/client", "shop/server:80", "--family", family});
        EXPECT_TRUE(allowed["consistent"].get<bool>()) << allowed.dump(1);
        const auto& side = allowed["ingress"];
        EXPECT_EQ(side["verdict"], "allow");
        EXPECT_EQ(side["kernel"]["verdict"], "allow");
        EXPECT_EQ(side["kernel"]["rule"]["name"], "only-client");
        EXPECT_EQ(side["kernel"]["table"], side["table"]);
        const auto& steps = side["evaluations"][0]["steps"];
        ASSERT_EQ(steps.size(), 2u) << side.dump(1);
        EXPECT_EQ(steps[0]["stage"], "Admin");
        EXPECT_EQ(steps[0]["rule"]["name"], "gate");
        EXPECT_EQ(steps[0]["action"], "pass");
        EXPECT_EQ(steps[1]["rule"]["name"], "only-client");
        EXPECT_TRUE(steps[1]["decides"].get<bool>());
    }
    const auto denied = server_node_.weir({"explain", "shop/neighbour", "shop/server:80"});
    EXPECT_EQ(denied.status, 1) << denied.err;
    EXPECT_NE(denied.out.find("AdminNetworkPolicy gate rule 0"), std::string::npos) << denied.out;
    EXPECT_NE(denied.out.find("kernel: class"), std::string::npos) << denied.out;

    const auto shown = server_node_.weir_json({"policy", "show", "AdminNetworkPolicy/gate"});
    EXPECT_EQ(shown["policy"]["priority"], 7);
    EXPECT_EQ(shown["policy"]["selected_here"].size(), 2u);
}

TEST_P(PreviewTest, DiffNamesTheFlowsAndPairsThatWouldChange) {
    start();
    EXPECT_EQ(reach(client_, server_), "46");
    EXPECT_EQ(reach(neighbour_, server_), "46");
    ASSERT_TRUE(has_flow(neighbour_, server_, "allow"));
    const std::string path = draft(allow("only-client", "client", "server", 80));
    const auto change = server_node_.weir({"diff", path, "-o", "json"});
    ASSERT_EQ(change.status, 1) << change.err;
    const auto answer = nlohmann::json::parse(change.out);
    ASSERT_FALSE(answer["flows"].empty()) << change.out;
    for (const auto& flow : answer["flows"]) {
        EXPECT_EQ(flow["source"]["pod"], "neighbour");
        EXPECT_EQ(flow["before"]["verdict"], "allow");
        EXPECT_EQ(flow["after"]["verdict"], "deny");
        EXPECT_EQ(flow["after"]["rule"]["file"], path);
    }
    EXPECT_THAT(answer["pairs"].dump(), testing::HasSubstr("shop/server"));
    EXPECT_EQ(reach(neighbour_, server_), "46") << "nothing was applied";
    EXPECT_NE(server_node_.weir({"diff", path}).out.find("these would change"), std::string::npos);

    lab_.apply("policy.yaml", allow("only-client", "client", "server", 80));
    const auto same = server_node_.weir({"diff", path});
    EXPECT_EQ(same.status, 0) << same.out << same.err;
    const auto gone = server_node_.weir({"diff", "--delete", "NetworkPolicy/shop/only-client"});
    EXPECT_EQ(gone.status, 1) << gone.out << gone.err;
    const auto unknown = server_node_.weir({"diff", "--delete", "NetworkPolicy/shop/none"});
    EXPECT_EQ(unknown.status, 2) << unknown.out;
    const auto invalid = server_node_.weir({"diff", draft("kind: NetworkPolicy\n")});
    EXPECT_EQ(invalid.status, 2) << invalid.out;
    EXPECT_NE(invalid.err.find("draft.yaml:1"), std::string::npos) << invalid.err;

    const auto alone = server_node_.weir(
        {"diff", "--manifests", lab_.manifests(), draft(deny_ingress("deny", "neighbour"))});
    EXPECT_EQ(alone.status, 1) << alone.err;
    EXPECT_NE(alone.out.find("shop/neighbour"), std::string::npos) << alone.out;
}

TEST_P(PreviewTest, SuggestedPoliciesDenyNoneOfTheFlowsSeen) {
    start();
    EXPECT_EQ(reach(client_, server_, 80), "46");
    EXPECT_EQ(reach(neighbour_, server_, 53, IPPROTO_UDP), "46");
    EXPECT_EQ(reach(external_, server_, 81), "46");
    EXPECT_EQ(reach(server_, external_, 80), "46");
    ASSERT_TRUE(has_flow(server_, external_, "allow"));
    const auto suggested = server_node_.weir({"suggest", "shop"});
    ASSERT_EQ(suggested.status, 0) << suggested.err;
    const auto checked = run_command({weir_program(), "check", draft(suggested.out)});
    EXPECT_EQ(checked.status, 0) << checked.out << suggested.out;
    const auto preview = server_node_.weir({"diff", draft(suggested.out), "-o", "json"});
    EXPECT_TRUE(nlohmann::json::parse(preview.out)["flows"].empty()) << preview.out;

    lab_.apply("suggested.yaml", suggested.out);
    EXPECT_EQ(reach(client_, server_, 80), "46") << suggested.out;
    EXPECT_EQ(reach(neighbour_, server_, 53, IPPROTO_UDP), "46") << suggested.out;
    EXPECT_EQ(reach(external_, server_, 81), "46") << suggested.out;
    EXPECT_EQ(reach(server_, external_, 80), "46") << suggested.out;
    EXPECT_EQ(reach(client_, server_, 81), "none") << "never seen";
    EXPECT_EQ(reach(neighbour_, server_, 80), "none") << "never seen";
    ASSERT_TRUE(has_flow(neighbour_, server_, "deny"));
    const auto again = server_node_.weir({"suggest", "shop"});
    EXPECT_NE(again.out.find("# Denied now"), std::string::npos) << again.out;
    EXPECT_EQ(server_node_.weir({"suggest", "nowhere"}).status, 1);
}

TEST_P(PreviewTest, AuditLetsByAndRecordsTheRuleThatWouldDeny) {
    start();
    auto audited = deny_ingress("deny", "server");
    const std::string metadata = "metadata:\n";
    audited.insert(audited.find(metadata) + metadata.size(),
                   "  annotations: {weir.io/audit: \"true\"}\n");
    lab_.apply("policy.yaml", audited);
    EXPECT_EQ(reach(client_, server_), "46");
    ASSERT_TRUE(has_flow(client_, server_, "audit"));
    for (const auto& flow : server_node_.flows({"--verdict", "audit"})) {
        EXPECT_EQ(flow["verdict"], "audit");
        EXPECT_EQ(flow["ingress"]["verdict"], "audit");
        EXPECT_EQ(flow["ingress"]["rule"]["isolated_by"], nlohmann::json::array({"shop/deny"}));
    }
    const auto explained = server_node_.weir_json({"explain", "shop/client", "shop/server:80"});
    EXPECT_EQ(explained["verdict"], "");
    EXPECT_EQ(explained["ingress"]["verdict"], "audit");
    ASSERT_EQ(explained["ingress"]["evaluations"].size(), 2u) << explained.dump(1);
    EXPECT_EQ(explained["ingress"]["evaluations"][0]["verdict"], "deny");
    EXPECT_EQ(explained["ingress"]["evaluations"][1]["verdict"], "allow");
    EXPECT_TRUE(explained["consistent"].get<bool>()) << explained.dump(1);
    EXPECT_GT(server_node_.metric("weir_audited_packets_total{direction=\"ingress\"}"), 0);
    const auto listed = server_node_.weir_json({"policy", "list"});
    EXPECT_EQ(listed["policies"][0]["mode"], "audit");
}

} // namespace
} // namespace weir
