// SPDX-License-Identifier: Apache-2.0
// Services by the real program: clients connect to a cluster address and reach backends on both
// nodes.
#include <chrono>
#include <thread>

#include "tests/net/services_fixture.h"

namespace weir {
namespace {

// What only a process that connects has.
class ServiceConnectionsNetTest : public ServicesNetTest {};

TEST_P(ServicesNetTest, ClusterAddressesLeadToBackends) {
    EXPECT_EQ(reach(), "46");
    EXPECT_EQ(reach(IPPROTO_UDP, 53), "46");
    EXPECT_EQ(reach(IPPROTO_TCP, 81), "") << "no such port";
    connect(400);
    const auto counts = opened();
    ASSERT_EQ(counts.size(), 4u);
    // Four standard deviations of 400 fair draws are 40.
    EXPECT_NEAR(counts.at(one_.v4), 200, 42);
    EXPECT_NEAR(counts.at(two_.v4), 200, 42);
    const auto status = near_.weir_json({"status"});
    EXPECT_TRUE(status["services"]["in_force"]);
    EXPECT_EQ(status["services"]["cgroup"] == "none", is_per_packet());
    EXPECT_GT(near_.metric("weir_service_frontends"), 0);
    EXPECT_EQ(near_.metric("weir_map_entries{map=\"weir_backends\"}"),
              8); // two ports, both families
    EXPECT_GT(near_.metric("weir_map_memory_bytes{map=\"weir_sockets\"}"), 0);
    EXPECT_GT(near_.metric("weir_map_memory_bytes{map=\"weir_uplink\"}"), 0);
}

TEST_P(ServicesNetTest, StreamsOfDatagramsArrive) {
    for (const char* address : {"10.96.0.1", "fd00:96::1"}) {
        UdpStream stream(*client_.netns, address, 53);
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
        const auto count = stream.finish();
        EXPECT_GT(count.answered, 100) << address;
        EXPECT_EQ(count.answered, count.sent) << address;
    }
}

TEST_P(ServicesNetTest, EndpointsComeAndGoLive) {
    lab_.apply("slices.yaml", slices_yaml("web", {&one_}));
    connect(100);
    EXPECT_EQ(opened().count(two_.v4), 0u);
    EXPECT_EQ(opened().at(one_.v4), 100);
    lab_.apply("slices.yaml", slices_yaml("web", {}));
    EXPECT_EQ(reach(), "");
    EXPECT_EQ(near_.weir({"services", "trace", "10.96.0.1:80"}).status, 1);
    lab_.apply("slices.yaml", slices_yaml("web", {&two_}));
    EXPECT_EQ(reach(), "46");
}

TEST_P(ServicesNetTest, WeightsChangeLiveWithoutBreakingAConnection) {
    lab_.write_manifest("more.yaml", service_yaml("old", "10.96.0.2", "fd00:96::2") +
                                         service_yaml("new", "10.96.0.3", "fd00:96::3") +
                                         slices_yaml("old", {&one_}) + slices_yaml("new", {&two_}));
    lab_.apply("split.yaml", split_yaml(100, 0));
    TcpConnection connection(*client_.netns, "10.96.0.1", 80);
    ASSERT_TRUE(connection.exchange());
    lab_.apply("split.yaml", split_yaml(25, 75));
    const auto before = opened();
    connect(400);
    const auto after = opened();
    EXPECT_NEAR(after.at(two_.v4) - before.at(two_.v4), 300, 36);
    lab_.apply("split.yaml", split_yaml(0, 100));
    const auto drained = opened();
    connect(100);
    EXPECT_EQ(opened().at(one_.v4), drained.at(one_.v4)) << "weight 0";
    EXPECT_TRUE(connection.exchange()) << "of before";
}

TEST_P(ServicesNetTest, TheShareOfABackendThatIsNotThereIsRefused) {
    lab_.write_manifest(
        "old.yaml", service_yaml("old", "10.96.0.2", "fd00:96::2") + slices_yaml("old", {&one_}));
    lab_.apply("split.yaml", split_yaml(50, 50));
    EXPECT_NEAR(answered(400), 200, 42);
    EXPECT_GT(near_.metric("weir_service_outcomes_total{outcome=\"route_refused\"}"), 100);
    lab_.apply("new.yaml",
               service_yaml("new", "10.96.0.3", "fd00:96::3") + slices_yaml("new", {&two_}));
    connect(100);
}

TEST_P(ServicesNetTest, PolicyJudgesTheBackend) {
    const std::string policy =
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: shop, name: "
        "p}\nspec:\n  podSelector: {matchLabels: {app: client}}\n  policyTypes: [Egress]\n  "
        "egress:\n  - to: [{podSelector: {matchLabels: {app: ";
    lab_.write_manifest("slices.yaml", slices_yaml("web", {&one_}));
    lab_.apply("policy.yaml", policy + "one}}}]\n");
    EXPECT_EQ(reach(), "46");
    lab_.apply("policy.yaml", policy + "two}}}]\n");
    EXPECT_EQ(reach(), "");
}

// The client's own pod is a backend that refuses: nobody listens there.
TEST_P(ServiceConnectionsNetTest, OutliersLeaveAndReturn) {
    lab_.apply("slices.yaml", slices_yaml("web", {&one_, &two_, &client_}));
    lab_.apply("rule.yaml", // on its own: it changes no map
               "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {namespace: "
               "shop, name: web}\nspec:\n  host: web\n  trafficPolicy:\n    outlierDetection: "
               "{consecutive5xxErrors: 3, baseEjectionTime: 2s, maxEjectionPercent: 50}\n");
    const auto is_out = [&] {
        const auto backend = backend_of(client_.v4);
        return backend["state"] == "ejected" &&
               backend["out"].get<std::string>().starts_with("ejected for ");
    };
    const std::vector<Probe> probes(20, {client_.netns.get(), "10.96.0.1", 80, IPPROTO_TCP});
    ASSERT_TRUE(eventually([&] {
        probe_all(probes);
        return is_out();
    })) << near_.weir({"services", "shop/web"}).out;
    const auto refused = opened().at(client_.v4);
    connect(100);
    EXPECT_EQ(opened().at(client_.v4), refused);
    EXPECT_GE(near_.metric("weir_service_ejections_total"), 1);
    lab_.servers().listen(*client_.netns, 80, IPPROTO_TCP);
    ASSERT_TRUE(eventually([&] { return backend_of(client_.v4)["state"] == "active"; }));
    connect(100);
    EXPECT_GT(opened().at(client_.v4), refused);
    EXPECT_EQ(backend_of(client_.v4)["state"], "active") << "the trial went well";
}

TEST_P(ServicesNetTest, APodReachesItself) {
    lab_.apply("slices.yaml", slices_yaml("web", {&two_}));
    const auto answers = probe_all({{two_.netns.get(), "10.96.0.1", 80, IPPROTO_TCP},
                                    {two_.netns.get(), "fd00:96::1", 80, IPPROTO_TCP},
                                    {two_.netns.get(), "10.96.0.1", 53, IPPROTO_UDP}});
    EXPECT_EQ(answers, std::vector<bool>(3, true));
}

TEST_P(ServicesNetTest, ARestartKeepsIdsAndConnections) {
    TcpConnection connection(*client_.netns, "10.96.0.1", 80);
    ASSERT_TRUE(connection.exchange());
    const auto before = near_.weir_json({"services", "shop/web"});
    near_.kill_agent();
    EXPECT_EQ(reach(), "46") << "without an agent";
    start_near();
    ASSERT_TRUE(lab_.settle());
    const auto after = near_.weir_json({"services", "shop/web"});
    ASSERT_EQ(before["ports"].size(), after["ports"].size());
    for (std::size_t i = 0; i < before["ports"].size(); ++i) {
        EXPECT_EQ(before["ports"][i]["id"], after["ports"][i]["id"]);
        for (std::size_t j = 0; j < before["ports"][i]["backends"].size(); ++j) {
            EXPECT_EQ(before["ports"][i]["backends"][j]["id"],
                      after["ports"][i]["backends"][j]["id"]);
        }
    }
    EXPECT_TRUE(connection.exchange());
    EXPECT_EQ(reach(), "46");
}

TEST_P(ServicesNetTest, TraceSaysWhy) {
    const auto trace = near_.weir({"services", "trace", "10.96.0.1:80"});
    EXPECT_EQ(trace.status, 0) << trace.err;
    EXPECT_NE(trace.out.find("one of 2 backends"), std::string::npos) << trace.out;
    EXPECT_NE(trace.out.find(one_.v4 + ":80"), std::string::npos) << trace.out;
    const auto port = near_.weir({"services", "trace", "10.96.0.1:81"});
    EXPECT_EQ(port.status, 1);
    EXPECT_NE(port.out.find("dropped"), std::string::npos) << port.out;
    EXPECT_EQ(near_.weir({"services", "trace", "10.96.7.7:80"}).status, 1);
    const auto explained = near_.weir({"explain", "shop/client", "10.96.0.1:80"});
    EXPECT_NE(explained.out.find("policy judges its backends"), std::string::npos)
        << explained.out << explained.err;
    const auto off = far_.weir({"services"});
    EXPECT_NE(off.err.find("--services on"), std::string::npos) << off.err;
}

INSTANTIATE_TEST_SUITE_P(Ways, ServicesNetTest, testing::Values("Connections", "Packets"),
                         kWayName);
INSTANTIATE_TEST_SUITE_P(Ways, ServiceConnectionsNetTest, testing::Values("Connections"), kWayName);

} // namespace
} // namespace weir
