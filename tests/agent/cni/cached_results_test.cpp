// SPDX-License-Identifier: Apache-2.0
#include "agent/cni/cached_results.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/support/lab_process.h"

namespace weir {
namespace {

using nlohmann::json;

// As libcni 1.1 writes it.
json cached() {
    return json::parse(R"({
      "kind": "cniCacheV1", "containerId": "0a1b", "config": "eyJuYW1lIjoiYSJ9", "ifName": "eth0",
      "networkName": "cbr0",
      "cniArgs": [["K8S_POD_NAME", "web"], ["K8S_POD_INFRA_CONTAINER_ID", "0a1b"],
                  ["K8S_POD_UID", "77"], ["IgnoreUnknown", "1"], ["K8S_POD_NAMESPACE", "shop"]],
      "capabilityArgs": {"dns": {}},
      "result": {"cniVersion": "1.0.0", "dns": {},
        "interfaces": [{"name": "cbr0", "mac": "aa"}, {"name": "veth1"},
                       {"name": "eth0", "sandbox": "/var/run/netns/cni-1"}],
        "ips": [{"address": "10.0.0.9/24", "interface": 2}, {"address": "fd00::9/64"}]}})");
}

TEST(CachedResultsTest, IsTheAddOfThatPod) {
    const auto request = parse_cached_result(cached().dump());
    ASSERT_TRUE(request);
    const CniRequest expected{.command = "ADD",
                              .network = "cbr0",
                              .attachment = {"0a1b", "eth0"},
                              .netns = "/var/run/netns/cni-1",
                              .pod_namespace = "shop",
                              .pod_name = "web",
                              .pod_uid = "77",
                              .addresses = {"10.0.0.9", "fd00::9"}};
    EXPECT_EQ(*request, expected);
    json newer = cached();
    newer["netns"] = "/var/run/netns/cni-2"; // libcni 1.2
    EXPECT_EQ(parse_cached_result(newer.dump())->netns, "/var/run/netns/cni-2");
}

TEST(CachedResultsTest, OthersArePassedOver) {
    EXPECT_FALSE(parse_cached_result(""));
    EXPECT_FALSE(parse_cached_result("[]"));
    EXPECT_FALSE(parse_cached_result(R"({"cniVersion": "0.4.0", "ips": []})")); // before the kind
    const std::vector<std::pair<const char*, json>> changes = {{"kind", "cniCacheV9"},
                                                               {"ifName", "lo"},
                                                               {"ifName", "net1"},
                                                               {"cniArgs", json::array()},
                                                               {"cniArgs", json::array({1})},
                                                               {"containerId", 7},
                                                               {"result", json::object()},
                                                               {"result", json::array()}};
    for (const auto& [member, value] : changes) {
        json other = cached();
        other[member] = value;
        EXPECT_FALSE(parse_cached_result(other.dump())) << other.dump();
    }
}

TEST(CachedResultsTest, FolderIsReadAsFarAsItCanBe) {
    const TempDirectory directory;
    EXPECT_TRUE(read_cached_results(directory.path()).empty());
    std::filesystem::create_directory(directory.path() + "/results");
    write_file(directory.path() + "/results/cbr0-0a1b-eth0", cached().dump());
    write_file(directory.path() + "/results/broken", "{");
    json lo = cached();
    lo["ifName"] = "lo";
    write_file(directory.path() + "/results/lo-0a1b-lo", lo.dump());
    EXPECT_EQ(read_cached_results(directory.path()).size(), 1u);
}

} // namespace
} // namespace weir
