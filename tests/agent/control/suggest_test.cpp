// SPDX-License-Identifier: Apache-2.0
// Policies from flows: who gets one, what it allows, and that it denies none of the flows.
#include "agent/control/suggest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/control/address_blocks.h"
#include "agent/control/workload.h"
#include "tests/agent/control/preview_support.h"

namespace weir {
namespace {

const auto kWeb = flow_end("10.0.0.1", "shop/web-7d4b9c6f5-bcd2f");
const auto kOtherWeb = flow_end("fd00::2", "shop/web-7d4b9c6f5-xz2vb");
const auto kDb = flow_end("10.0.0.3", "shop/db");
const auto kClient = flow_end("10.0.1.1", "lab/client");

v1::SuggestResponse suggested(const std::vector<SeenFlow>& flows, bool include_denied = false,
                              const std::vector<SharedObject>& objects = small_cluster()) {
    const auto response =
        suggest(objects, flows, {.ns = "shop", .node = "n1", .include_denied = include_denied});
    EXPECT_TRUE(response) << response.error().what;
    return response.value_or(v1::SuggestResponse());
}

// The policy's rules as the API sees them.
const NetworkPolicy* policy_of(const DecodedFile& file, const std::string& name) {
    for (const auto& object : file.objects) {
        if (object.key.name.name.get() == name && object.object) {
            return std::get_if<NetworkPolicy>(&*object.object);
        }
    }
    return nullptr;
}

TEST(Suggest, OnePolicyAWorkloadWithItsPeersAndPorts) {
    const auto response = suggested({seen(kWeb, kDb, 5432, 3),
                                     seen(kOtherWeb, flow_end("fd00::3", "shop/db"), 5432, 2),
                                     seen(kClient, kWeb, 8080, 4), seen(kClient, kWeb, 8443)});
    EXPECT_EQ(response.policies(), 2u);
    EXPECT_EQ(response.flows(), 10u);
    EXPECT_THAT(response.failures(), testing::IsEmpty());
    const DecodedFile file = decode_file("out.yaml", response.yaml());
    EXPECT_THAT(file.problems, testing::IsEmpty()) << response.yaml();

    const auto* web = policy_of(file, "suggested-web");
    ASSERT_NE(web, nullptr) << response.yaml();
    EXPECT_EQ(web->subjects, test::labelled({{"app", "web"}})) << "without the template's hash";
    EXPECT_TRUE(web->isolates_ingress && web->isolates_egress);
    ASSERT_EQ(web->ingress.size(), 1u);
    ASSERT_EQ(web->ingress[0].peers.size(), 1u);
    EXPECT_EQ(web->ingress[0].peers[0],
              test::pods_in(test::labelled({{"kubernetes.io/metadata.name", "lab"}}),
                            test::labelled({{"app", "client"}})));
    EXPECT_THAT(web->ingress[0].ports, testing::ElementsAre(test::tcp(8080), test::tcp(8443)));
    ASSERT_EQ(web->egress.size(), 1u);
    EXPECT_EQ(web->egress[0].peers[0], test::pods(test::labelled({{"app", "db"}})));
    const auto* db = policy_of(file, "suggested-db");
    ASSERT_NE(db, nullptr);
    EXPECT_TRUE(db->egress.empty());
    EXPECT_TRUE(db->isolates_egress);
    EXPECT_THAT(response.yaml(), testing::HasSubstr("5 flows from shop/web-7d4b9c6f5-bcd2f, "
                                                    "shop/web-7d4b9c6f5-xz2vb, first 2023-11-14T"));
}

TEST(Suggest, WhatHasNoPortsNeedsARuleWithoutThem) {
    const auto response =
        suggested({seen(kClient, kDb, 0, 1, IPPROTO_ICMP), seen(kClient, kDb, 5432)});
    EXPECT_THAT(response.failures(), testing::IsEmpty());
    const auto file = decode_file("out.yaml", response.yaml());
    const auto* db = policy_of(file, "suggested-db");
    ASSERT_NE(db, nullptr);
    ASSERT_EQ(db->ingress.size(), 1u);
    EXPECT_TRUE(db->ingress[0].ports.empty());
    EXPECT_THAT(response.yaml(), testing::HasSubstr("ICMP has no ports"));
}

TEST(Suggest, AddressesOutsideBecomeBlocks) {
    std::vector<SeenFlow> flows = {
        seen(flow_end("203.0.113.7"), kDb, 5432),
        seen(flow_end("2001:db8::7"), flow_end("fd00::3", "shop/db"), 5432)};
    for (int i = 1; i <= 40; ++i)
        flows.push_back(seen(kDb, flow_end("198.51.100." + std::to_string(i)), 443));
    const auto response = suggested(flows);
    EXPECT_THAT(response.failures(), testing::IsEmpty());
    const auto file = decode_file("out.yaml", response.yaml());
    const auto* db = policy_of(file, "suggested-db");
    ASSERT_NE(db, nullptr) << response.yaml();
    ASSERT_EQ(db->ingress.size(), 1u);
    EXPECT_THAT(db->ingress[0].peers, testing::ElementsAre(test::block("203.0.113.7/32"),
                                                           test::block("2001:db8::7/128")));
    ASSERT_EQ(db->egress.size(), 1u);
    EXPECT_THAT(db->egress[0].peers, testing::ElementsAre(test::block("198.51.100.0/24")));
    EXPECT_THAT(response.yaml(), testing::HasSubstr("40 addresses share 1 blocks"));
}

TEST(Suggest, TheOwnNodeNeedsNoRule) {
    const auto response = suggested({seen(flow_end("172.18.0.1", "node/n1"), kDb, 8080, 5)});
    EXPECT_THAT(response.failures(), testing::IsEmpty());
    const auto file = decode_file("out.yaml", response.yaml());
    const auto* db = policy_of(file, "suggested-db");
    ASSERT_NE(db, nullptr);
    EXPECT_TRUE(db->ingress.empty());
    EXPECT_THAT(response.yaml(), testing::HasSubstr("5 flows from node/n1"));
}

TEST(Suggest, DeniedFlowsAreNamedAndOnlyIncludedWhenAskedFor) {
    auto denied = seen(kClient, kDb, 22, 6);
    denied.is_denied = true;
    denied.denied_by = WEIR_INGRESS;
    const auto without = suggested({denied, seen(kWeb, kDb, 5432)});
    EXPECT_EQ(without.denied_flows(), 6u);
    EXPECT_THAT(without.yaml(), testing::HasSubstr("lab/client -> shop/db TCP 22 (6 times, by "
                                                   "ingress)"));
    EXPECT_THAT(without.yaml(), testing::Not(testing::HasSubstr("port: 22")));
    const auto included = suggested({denied, seen(kWeb, kDb, 5432)}, true);
    EXPECT_THAT(included.yaml(), testing::HasSubstr("port: 22"));
    EXPECT_THAT(included.failures(), testing::IsEmpty());
}

TEST(Suggest, APodWithoutLabelsAndAPodElsewhereGetNone) {
    auto objects = small_cluster();
    objects.emplace_back(test::pod("shop/bare", {}, {"10.0.0.8"}));
    auto far = test::pod("shop/far", {{"app", "far"}}, {"10.0.9.9"});
    far.node = Symbol("n2");
    objects.emplace_back(far);
    const auto response = suggested({seen(kWeb, flow_end("10.0.0.8", "shop/bare"), 80),
                                     seen(kWeb, flow_end("10.0.9.9", "shop/far"), 80)},
                                    false, objects);
    EXPECT_THAT(response.failures(), testing::IsEmpty());
    const auto file = decode_file("out.yaml", response.yaml());
    EXPECT_EQ(file.objects.size(), 1u) << response.yaml();
    EXPECT_THAT(response.yaml(), testing::HasSubstr("No policy for bare: its pods have no labels"));
    EXPECT_THAT(response.yaml(), testing::HasSubstr("No policy for far: it runs on other nodes"));
}

TEST(Suggest, AWorkloadWithMoreLabelsIsToldApart) {
    auto objects = small_cluster();
    auto canary = test::pod("shop/canary", {{"app", "web"}, {"track", "canary"}}, {"10.0.0.9"});
    canary.node = Symbol("n1");
    objects.emplace_back(canary);
    const auto response = suggested({seen(kClient, kWeb, 80)}, false, objects);
    const auto file = decode_file("out.yaml", response.yaml());
    EXPECT_THAT(file.problems, testing::IsEmpty()) << response.yaml();
    const auto* web = policy_of(file, "suggested-web");
    ASSERT_NE(web, nullptr) << response.yaml();
    EXPECT_EQ(web->subjects.requirements.size(), 2u) << "the canary saw no flows: not isolated";
}

TEST(Suggest, AnUnknownNamespaceIsAnError) {
    EXPECT_FALSE(suggest(small_cluster(), {}, {.ns = "nowhere", .node = "n1"}));
}

TEST(CoveringBlocks, WidenOnlyWhenTheyAreTooMany) {
    std::set<Address> addresses;
    for (int i = 0; i < 6; ++i)
        addresses.insert(test::address("10.0.0." + std::to_string(i * 40)));
    EXPECT_EQ(covering_blocks(addresses, 8).size(), 6u);
    EXPECT_THAT(covering_blocks(addresses, 4), testing::ElementsAre(test::cidr("10.0.0.0/24")));
    addresses = {test::address("1.1.1.1"), test::address("250.1.1.1")};
    EXPECT_EQ(covering_blocks(addresses, 1).at(0), test::cidr("0.0.0.0/0"));
}

TEST(Workload, DropsWhatControllersAppend) {
    EXPECT_EQ(
        workload_name(test::pod("a/api-7d4b9c6f5-bcd2f", {{"pod-template-hash", "7d4b9c6f5"}}, {})),
        "api");
    EXPECT_EQ(workload_name(test::pod("a/store-0", {}, {})), "store");
    EXPECT_EQ(workload_name(test::pod("a/hello-world", {}, {})), "hello-world");
    const auto one = test::pod("a/x-0", {{"app", "x"}, {"id", "1"}}, {"10.0.0.1"});
    const auto two = test::pod("a/x-1", {{"app", "x"}, {"id", "2"}}, {"10.0.0.2"});
    const auto workloads = workloads_of({&one, &two});
    ASSERT_EQ(workloads.size(), 1u);
    EXPECT_EQ(workloads[0].labels, test::labels({{"app", "x"}}));
}

} // namespace
} // namespace weir
