// SPDX-License-Identifier: Apache-2.0
// `weir verdicts` with the model: what it prints for whom. The kernel engine is held against the
// same cases by tests/corpus.
#include "agent/verdicts/verdicts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace weir {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kCluster = R"(
{apiVersion: v1, kind: Node, metadata: {name: n1},
 status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2},
 status: {addresses: [{type: InternalIP, address: 192.0.2.2}]}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: c, image: i}]}
status: {podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {nodeName: n1, containers: [{name: c, image: i}]}
status: {podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: daemon, namespace: shop}
spec: {nodeName: n1, hostNetwork: true, containers: [{name: c, image: i}]}
status: {podIP: 192.0.2.1, podIPs: [{ip: 192.0.2.1}]}
)";

constexpr const char* kPolicies = R"(apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 5432}]
)";

class VerdictsTest : public testing::Test {
protected:
    void SetUp() override {
        directory_ = testing::TempDir() + "weir-verdicts-" + std::to_string(::getpid());
        std::filesystem::create_directories(directory_);
        std::ofstream(directory_ + "/cluster.yaml") << kCluster;
        std::ofstream(directory_ + "/policies.yaml") << kPolicies;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::vector<json> answers(const std::string& flows) {
        std::istringstream in(flows);
        std::ostringstream out;
        std::ostringstream problems;
        const auto judged = judge_flows({directory_, EngineKind::kModel}, in, out, problems);
        EXPECT_TRUE(judged) << judged.error().what;
        problems_ = problems.str();
        std::vector<json> lines;
        std::istringstream text(out.str());
        for (std::string line; std::getline(text, line);)
            lines.push_back(json::parse(line));
        return lines;
    }

    json answer(const std::string& source, const std::string& destination, int port = 5432) {
        const auto lines =
            answers(json{{"src", source}, {"dst", destination}, {"port", port}}.dump() + "\n");
        return lines.size() == 1 ? lines[0] : json();
    }

    std::string directory_;
    std::string problems_;
};

TEST_F(VerdictsTest, NamesTheRuleThatAllows) {
    const auto allowed = answer("shop/web", "shop/db");
    EXPECT_EQ(allowed["verdict"], "allow");
    EXPECT_EQ(allowed["egress_rule"], nullptr);
    EXPECT_EQ(allowed["ingress_rule"]["name"], "db");
    EXPECT_EQ(allowed["ingress_rule"]["index"], 0);
    EXPECT_EQ(allowed["ingress_rule"]["line"], 7);
    EXPECT_EQ(allowed["rule"], allowed["ingress_rule"]);
    EXPECT_EQ(allowed["src"], "shop/web");
}

TEST_F(VerdictsTest, NamesThePoliciesThatIsolate) {
    const auto denied = answer("shop/web", "shop/db", 80);
    EXPECT_EQ(denied["verdict"], "deny");
    EXPECT_EQ(denied["egress"], "allow");
    EXPECT_EQ(denied["ingress"], "deny");
    EXPECT_EQ(denied["rule"]["index"], nullptr);
    EXPECT_EQ(denied["rule"]["isolated_by"], json::array({"shop/db"}));
}

TEST_F(VerdictsTest, OwnNodeAndItsHostNetworkPodsPass) {
    EXPECT_EQ(answer("node/n1", "shop/db", 1)["verdict"], "allow");
    EXPECT_EQ(answer("shop/daemon", "shop/db", 1)["verdict"], "allow");
    EXPECT_EQ(answer("node/n2", "shop/db", 1)["verdict"], "deny");
    EXPECT_EQ(answer("shop/db", "shop/db", 1)["verdict"], "allow");
    EXPECT_EQ(answer("198.51.100.1", "shop/db", 1)["verdict"], "deny");
    EXPECT_EQ(answer("198.51.100.1", "node/n1", 1)["verdict"], "allow");
}

TEST_F(VerdictsTest, AnswersWhatCannotBeJudgedWithAnError) {
    EXPECT_THAT(answer("shop/nobody", "shop/db")["error"], HasSubstr("src 'shop/nobody'"));
    EXPECT_THAT(answer("shop/web", "node/n9")["error"], HasSubstr("dst 'node/n9'"));
    EXPECT_THAT(answer("2001:db8::1", "shop/db")["error"], HasSubstr("addresses of one family"));
    EXPECT_FALSE(answer("shop/nobody", "shop/db").contains("verdict"));
}

TEST_F(VerdictsTest, AnswersInOrderAndGoesOnAfterAnError) {
    const auto lines = answers(
        "{\"src\":\"shop/web\",\"dst\":\"shop/db\",\"port\":5432,\"id\":1}\n"
        "nonsense\n\n"
        "{\"src\":\"shop/web\",\"dst\":\"shop/db\",\"port\":5432,\"family\":\"IPv6\",\"id\":2}\n"
        "{\"src\":\"shop/db\",\"dst\":\"shop/web\",\"port\":80,\"id\":3}\n");
    ASSERT_EQ(lines.size(), 4u);
    EXPECT_EQ(lines[0]["id"], 1);
    EXPECT_EQ(lines[1]["input"], "nonsense");
    EXPECT_EQ(lines[2]["error"], "shop/db has no IPv6 address");
    EXPECT_EQ(lines[3]["id"], 3);
    EXPECT_EQ(lines[3]["verdict"], "allow");
}

TEST_F(VerdictsTest, ReportsInvalidObjectsAndGoesOn) {
    std::ofstream(directory_ + "/bad.yaml")
        << "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: bad, "
           "namespace: shop}, spec: {podSelector: {}, ingress: [{from: [{}]}]}}\n";
    EXPECT_EQ(answer("shop/db", "shop/web", 80)["verdict"], "allow");
    EXPECT_THAT(problems_, HasSubstr("bad.yaml:1"));
}

TEST_F(VerdictsTest, ADirectoryThatCannotBeReadIsAFailure) {
    std::istringstream in;
    std::ostringstream out;
    EXPECT_FALSE(judge_flows({directory_ + "/none", EngineKind::kModel}, in, out, out));
}

} // namespace
} // namespace weir
