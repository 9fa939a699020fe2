// SPDX-License-Identifier: Apache-2.0
// Backends that do not answer a handshake, by the real program: the connection goes on to another.
#include <memory>

#include "tests/net/services_fixture.h"

namespace weir {
namespace {

// Backends on the other node that nobody is: what is sent there gets no answer.
class ServiceRetryNetTest : public ServicesNetTest {
protected:
    ServiceRetryNetTest() : dead_(nobody("99")), dead_too_(nobody("98")) {
        lab_.apply("slices.yaml", slices_yaml("web", {&one_, &dead_}));
    }

    LabPod nobody(const std::string& host) const {
        LabPod pod;
        pod.node = one_.node;
        pod.v4 = "10.244.1." + host;
        pod.v6 = "fd00:10:244:1::" + host;
        return pod;
    }

    int retried() const {
        return static_cast<int>(near_.metric("weir_service_outcomes_total{outcome=\"retried\"}"));
    }
    std::unique_ptr<TcpConnection> connect_late(const char* address) const {
        return std::make_unique<TcpConnection>(*client_.netns, address, 80, kLate);
    }

    // The SYN is sent again after 1, 3 and 7 s.
    static constexpr std::chrono::seconds kLate{5};
    LabPod dead_, dead_too_;
};

TEST_P(ServiceRetryNetTest, AHandshakeWithoutAnAnswerGoesOnToAnotherBackend) {
    lab_.apply("slices.yaml", slices_yaml("web", {&one_, &dead_, &dead_too_}));
    std::vector<Probe> probes(20, {client_.netns.get(), "10.96.0.1", 80, IPPROTO_TCP});
    probes.resize(40, {client_.netns.get(), "fd00:96::1", 80, IPPROTO_TCP});
    EXPECT_EQ(probe_all(probes, kLate), std::vector<bool>(40, true));
    EXPECT_GT(retried(), 20) << "some of them twice";
    EXPECT_GT(std::stoi(backend_of(dead_.v4)["failed"].get<std::string>()), 0);
    EXPECT_EQ(opened().at(one_.v4), 20) << "those that were moved are this one's";
    for (const LabPod* pod : {&one_, &dead_, &dead_too_})
        EXPECT_EQ(backend_of(pod->v4)["live"], 0) << pod->v4;
}

TEST_P(ServiceRetryNetTest, TheOnlyBackendIsTriedAgain) {
    lab_.apply("slices.yaml", slices_yaml("web", {&dead_}));
    const std::vector<Probe> probes(5, {client_.netns.get(), "10.96.0.1", 80, IPPROTO_TCP});
    EXPECT_EQ(probe_all(probes, kLate), std::vector<bool>(5, false));
    EXPECT_EQ(retried(), 0);
    EXPECT_EQ(backend_of(dead_.v4)["failed"], "5") << "once for each handshake";
    EXPECT_EQ(backend_of(dead_.v4)["live"], 0);
}

TEST_P(ServiceRetryNetTest, TheConnectionLivesOnWithItsServiceAsPeer) {
    // The last: IPv4 by a socket of IPv6.
    for (const char* address : {"10.96.0.1", "fd00:96::1", "::ffff:10.96.0.1"}) {
        std::unique_ptr<TcpConnection> moved;
        for (const int before = retried(); retried() == before;)
            moved = connect_late(address);
        ASSERT_TRUE(moved->exchange());
        EXPECT_EQ(moved->peer(), address);
        EXPECT_TRUE(moved->exchange(kProbeTimeout, 100'000));
        near_.kill_agent();
        EXPECT_TRUE(moved->exchange()) << "without an agent";
        start_near();
        ASSERT_TRUE(lab_.settle());
        EXPECT_TRUE(moved->exchange());
    }
}

TEST_P(ServiceRetryNetTest, PolicyJudgesTheBackendThatItGoesOnTo) {
    lab_.apply("policy.yaml",
               "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: shop, "
               "name: p}\nspec:\n  podSelector: {matchLabels: {app: client}}\n  policyTypes: "
               "[Egress]\n  egress:\n  - to: [{ipBlock: {cidr: " +
                   dead_.v4 + "/32}}]\n");
    const std::vector<Probe> probes(10, {client_.netns.get(), "10.96.0.1", 80, IPPROTO_TCP});
    EXPECT_EQ(probe_all(probes, kLate), std::vector<bool>(10, false));
    EXPECT_GT(retried(), 0);
}

TEST_P(ServiceRetryNetTest, AClientWithAffinityStaysWhereItWasAnswered) {
    lab_.write_manifest("services.yaml", service_yaml("web", "10.96.0.1", "fd00:96::1",
                                                      "  sessionAffinity: ClientIP\n"));
    lab_.apply("slices.yaml", slices_yaml("web", {&dead_}));
    const std::vector<Probe> probes{{client_.netns.get(), "10.96.0.1", 80, IPPROTO_TCP},
                                    {client_.netns.get(), "fd00:96::1", 80, IPPROTO_TCP}};
    EXPECT_EQ(probe_all(probes), std::vector<bool>(2, false));
    lab_.apply("slices.yaml", slices_yaml("web", {&dead_, &one_}));
    EXPECT_EQ(probe_all(probes, kLate), std::vector<bool>(2, true));
    EXPECT_EQ(retried(), 2) << "the backend that it had is not gone";
    connect(50);
    EXPECT_EQ(reach(), "46");
    EXPECT_EQ(retried(), 2);
}

TEST_P(ServiceRetryNetTest, ConnectionsToABackendsOwnAddressAreNotMoved) {
    const std::vector<Probe> probes{{client_.netns.get(), dead_.v4, 80, IPPROTO_TCP},
                                    {client_.netns.get(), dead_.v6, 80, IPPROTO_TCP}};
    EXPECT_EQ(probe_all(probes, kLate), std::vector<bool>(2, false));
    EXPECT_EQ(retried(), 0);
}

INSTANTIATE_TEST_SUITE_P(Ways, ServiceRetryNetTest, testing::Values("Connections"), kWayName);

} // namespace
} // namespace weir
