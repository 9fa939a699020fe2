// SPDX-License-Identifier: Apache-2.0
// What changes in verdicts when manifests would be applied: flows, pairs, ports, problems.
#include "agent/control/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/control/pair_diff.h"
#include "tests/agent/control/preview_support.h"

namespace weir {
namespace {

const char* const kOnlyWeb = R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: sql}]
)";

v1::DiffRequest request_with(const std::string& manifest) {
    v1::DiffRequest request;
    if (manifest.empty()) return request;
    auto* file = request.add_manifests();
    file->set_file("new.yaml");
    file->set_text(manifest);
    return request;
}

std::vector<SharedObject> with(std::vector<SharedObject> objects, const std::string& manifest) {
    for (auto& decoded : decode_file("old.yaml", manifest).objects)
        objects.emplace_back(*std::move(decoded.object));
    return objects;
}

std::vector<std::string> lines(const v1::DiffResponse& response) {
    std::vector<std::string> lines;
    for (const auto& pair : response.pairs()) {
        std::string line = pair.source().name() + " -> " + pair.destination().name() + ":";
        for (const auto& port : pair.ports())
            line += " " + port + ",";
        line.back() = ' ';
        line += pair.family() + (pair.family().empty() ? "" : " ") + pair.before().verdict() + ">" +
                pair.after().verdict();
        lines.push_back(line);
    }
    return lines;
}

TEST(Diff, ANewPolicyDeniesFlowsAndPairsAndNamesItself) {
    const std::vector<SeenFlow> flows = {
        seen(flow_end("10.0.0.1", "shop/web-7d4b9c6f5-bcd2f"), flow_end("10.0.0.3", "shop/db"),
             5432, 9),
        seen(flow_end("10.0.1.1", "lab/client"), flow_end("10.0.0.3", "shop/db"), 5432, 7),
        seen(flow_end("10.0.1.1", "lab/client"), flow_end("10.0.0.9", "shop/gone"), 1, 100)};
    const auto response = diff(small_cluster(), flows, request_with(kOnlyWeb));
    ASSERT_TRUE(response) << response.error().what;
    ASSERT_EQ(response->objects_size(), 1);
    EXPECT_EQ(response->objects(0).change(), "added");
    EXPECT_EQ(response->flows_compared(), 16u) << "a pod that is gone can do nothing any more";
    ASSERT_EQ(response->flows_size(), 1);
    EXPECT_EQ(response->flows(0).count(), 7u);
    EXPECT_EQ(response->flows(0).source().pod(), "client");
    EXPECT_EQ(response->flows(0).before().verdict(), "allow");
    EXPECT_EQ(response->flows(0).after().verdict(), "deny");
    EXPECT_THAT(response->flows(0).after().rule().isolated_by(),
                testing::ElementsAre("shop/only-web"));
    EXPECT_EQ(response->flows(0).after().rule().file(), "new.yaml");
    EXPECT_THAT(lines(*response),
                testing::UnorderedElementsAre(
                    "lab/client, other addresses -> shop/db: everything allow>deny",
                    "shop/web -> shop/db: everything but TCP 5432 allow>deny"));
    EXPECT_EQ(response->pairs(0).source().pods() + response->pairs(1).source().pods(), 3u);
}

TEST(Diff, TheSamePolicyElsewhereIsNoChange) {
    const auto objects = with(small_cluster(), kOnlyWeb);
    const auto response = diff(objects, {}, request_with(std::string("\n\n") + kOnlyWeb));
    ASSERT_TRUE(response);
    EXPECT_EQ(response->objects_size(), 0);
    EXPECT_EQ(response->pairs_size(), 0);
}

TEST(Diff, RemovalAndReplacementTakePoliciesAway) {
    const auto objects = with(small_cluster(), kOnlyWeb);
    v1::DiffRequest request;
    auto* removal = request.add_removals();
    removal->set_kind("NetworkPolicy");
    removal->set_namespace_("shop");
    removal->set_name("only-web");
    const auto removed = diff(objects, {}, request);
    ASSERT_TRUE(removed);
    ASSERT_EQ(removed->pairs_size(), 2);
    EXPECT_EQ(removed->pairs(0).before().verdict(), "deny");
    EXPECT_EQ(removed->pairs(0).after().verdict(), "allow");

    v1::DiffRequest replace;
    replace.set_replace(true);
    const auto replaced = diff(objects, {}, replace);
    ASSERT_TRUE(replaced);
    EXPECT_EQ(lines(*replaced), lines(*removed));
    ASSERT_EQ(replaced->objects_size(), 1) << "only policies go";
    EXPECT_EQ(replaced->objects(0).change(), "removed");
}

TEST(Diff, AnotherSideThatDeniesAnywayIsNoChange) {
    const auto objects = with(small_cluster(), R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: mute, namespace: lab}
spec: {podSelector: {}, policyTypes: [Egress]}
)");
    const auto response = diff(objects, {}, request_with(kOnlyWeb));
    ASSERT_TRUE(response);
    for (const auto& line : lines(*response))
        EXPECT_THAT(line, testing::Not(testing::HasSubstr("lab/client")));
}

TEST(Diff, ALabelOfAPodMovesItIntoAPolicy) {
    const auto objects = with(small_cluster(), kOnlyWeb);
    const auto response = diff(objects, {}, request_with(R"(
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: other}}
spec: {nodeName: n1, containers: [{name: c, ports: [{name: sql, containerPort: 5432}]}]}
status: {podIPs: [{ip: 10.0.0.3}, {ip: "fd00::3"}]}
)"));
    ASSERT_TRUE(response) << response.error().what;
    EXPECT_THAT(lines(*response),
                testing::Contains("lab/client, other addresses -> shop/db: everything deny>allow"));
}

TEST(Diff, BlocksAreComparedBesideAllOtherAddresses) {
    const auto response = diff(small_cluster(), {}, request_with(R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: audit, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: [{from: [{ipBlock: {cidr: 192.168.0.0/16, except: [192.168.7.0/24]}}]}]
)"));
    ASSERT_TRUE(response);
    const auto all = lines(*response);
    EXPECT_THAT(all, testing::Contains(testing::HasSubstr("other addresses -> shop/db")));
    for (const auto& line : all)
        EXPECT_THAT(line, testing::Not(testing::HasSubstr("192.168.0.0/16"))) << "still allowed";
}

TEST(Diff, RefusesInvalidManifestsAndUnknownRemovals) {
    auto request = request_with(
        "kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nmetadata: "
        "{name: bad}\nspec: {podSelector: 7}\n");
    auto* removal = request.add_removals();
    removal->set_kind("NetworkPolicy");
    removal->set_namespace_("shop");
    removal->set_name("nowhere");
    const auto response = diff(small_cluster(), {}, request);
    ASSERT_TRUE(response);
    EXPECT_TRUE(response->refused());
    ASSERT_EQ(response->problems_size(), 2);
    EXPECT_EQ(response->problems(0).file(), "new.yaml");
    EXPECT_EQ(response->problems(0).line(), 4u);
    EXPECT_THAT(response->problems(1).message(), testing::HasSubstr("shop/nowhere"));
    EXPECT_EQ(response->pairs_size(), 0);
}

TEST(Diff, TheLimitCountsWhatItLeavesOut) {
    auto request = request_with(kOnlyWeb);
    request.set_limit(1);
    const auto response = diff(small_cluster(), {}, request);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->pairs_size(), 1);
    EXPECT_EQ(response->more_pairs(), 1u);
}

TEST(PortTexts, SaysEverythingOnlyWhenItIs) {
    const auto tcp = [](std::uint32_t first, std::uint32_t last) {
        return KeySpan{WEIR_PORT_KEY(IPPROTO_TCP, first), WEIR_PORT_KEY(IPPROTO_TCP, last)};
    };
    EXPECT_THAT(port_texts({tcp(80, 80), tcp(443, 444)}),
                testing::ElementsAre("TCP 80", "TCP 443-444"));
    EXPECT_THAT(port_texts({tcp(1, 65535)}), testing::ElementsAre("TCP any port"));
    EXPECT_THAT(port_texts({KeySpan{}, tcp(1, 65535)}),
                testing::ElementsAre("ICMP and other protocols", "TCP any port"));
}

} // namespace
} // namespace weir
