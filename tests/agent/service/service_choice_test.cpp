// SPDX-License-Identifier: Apache-2.0
// Which endpoints a frontend leads to: the behaviours of Kubernetes, one a test.
#include <gmock/gmock.h>

#include "tests/agent/service/service_lab.h"

namespace weir::test {
namespace {

constexpr const char* kWeb = "clusterIP: 10.96.0.1\nports: [{port: 80}]";
constexpr const char* kNodePort =
    "clusterIP: 10.96.0.1\ntype: NodePort\nports: [{port: 80, nodePort: 30080}]";

// A LoadBalancer at 198.51.100.1 with these other members of spec.
std::string balancer(std::string_view rest = "", std::string_view ingress = "{ip: 198.51.100.1}") {
    return "apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: web}\nspec:\n  type: "
           "LoadBalancer\n  clusterIP: 10.96.0.1\n  ports: [{port: 80, nodePort: 30080}]\n  " +
           std::string(rest) + "\nstatus: {loadBalancer: {ingress: [" + std::string(ingress) +
           "]}}\n---\n";
}

std::string hinted(std::string_view address, std::string_view node, std::string_view hints) {
    return "{addresses: ['" + std::string(address) + "'], nodeName: " + std::string(node) +
           ", hints: {" + std::string(hints) + "}}";
}

TEST(ServiceChoice, ClusterIpLeadsToReadyEndpoints) {
    ServiceLab lab;
    lab.apply(service("web", kWeb) +
              slice("web", {ready("10.1.0.1"), ready("10.1.0.2", "n2"), not_ready("10.1.0.3")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080 10.1.0.2:8080");
    EXPECT_EQ(lab.outside("10.96.0.1:80"), "untouched") << "a cluster address is inside alone";
    EXPECT_EQ(lab.backend("10.1.0.1:8080").is_local, 1);
    EXPECT_EQ(lab.backend("10.1.0.2:8080").is_local, 0);
}

TEST(ServiceChoice, NotReadyIsKeptForExistingConnections) {
    ServiceLab lab;
    lab.apply(service("web", kWeb) + slice("web", {ready("10.1.0.1"), not_ready("10.1.0.3")}));
    EXPECT_EQ(lab.backend("10.1.0.3:8080").state, WEIR_BACKEND_DRAINING);
}

TEST(ServiceChoice, DualStackServesEachFamilyItsOwn) {
    ServiceLab lab;
    lab.apply(service("web",
                      "clusterIP: 10.96.0.1\nclusterIPs: [10.96.0.1, 'fd00::1']\nports: "
                      "[{port: 80}]") +
              slice("web", {ready("10.1.0.1")}) + slice("web", {ready("fd01::1")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080");
    EXPECT_EQ(lab.inside("[fd00::1]:80"), "[fd01::1]:8080");
}

TEST(ServiceChoice, FamilyWithoutEndpointsIsRefused) {
    ServiceLab lab;
    lab.apply(service("web",
                      "clusterIP: 10.96.0.1\nclusterIPs: [10.96.0.1, 'fd00::1']\nports: "
                      "[{port: 80}]") +
              slice("web", {ready("10.1.0.1")}));
    EXPECT_EQ(lab.inside("[fd00::1]:80"), "refused");
}

TEST(ServiceChoice, HeadlessAndExternalNameHaveNoFrontends) {
    ServiceLab lab;
    lab.apply(service("a", "clusterIP: None\nports: [{port: 80}]") +
              service("b", "type: ExternalName\nexternalName: example.org") +
              slice("a", {ready("10.1.0.1")}));
    EXPECT_EQ(lab.frontends(), 0U);
}

TEST(ServiceChoice, NoEndpointsRefuseAndUnknownPortsDrop) {
    ServiceLab lab;
    lab.apply(service("web", kWeb));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "refused");
    EXPECT_EQ(lab.inside("10.96.0.1:81"), "dropped");
    EXPECT_EQ(lab.inside("10.96.0.1:80/UDP"), "dropped");
    EXPECT_EQ(lab.inside("10.96.0.2:80"), "untouched");
    lab.remove(Kind::kService, "web");
    EXPECT_EQ(lab.inside("10.96.0.1:81"), "untouched");
}

TEST(ServiceChoice, ProtocolsAreApart) {
    ServiceLab lab;
    lab.apply(service("dns",
                      "clusterIP: 10.96.0.1\nports:\n- {name: a, port: 53, protocol: UDP}\n"
                      "- {name: b, port: 53}") +
              slice("dns", {ready("10.1.0.1")}, "a", "one") +
              slice("dns", {ready("10.1.0.2")}, "b", "two"));
    EXPECT_EQ(lab.inside("10.96.0.1:53/UDP"), "10.1.0.1:5353");
    EXPECT_EQ(lab.inside("10.96.0.1:53"), "10.1.0.2:8080");
}

TEST(ServiceChoice, NamedPortsMatchByName) {
    ServiceLab lab;
    lab.apply(service("web",
                      "clusterIP: 10.96.0.1\nports: [{name: http, port: 80}, {name: admin, "
                      "port: 81}]") +
              slice("web", {ready("10.1.0.1")}, "http"));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080");
    EXPECT_EQ(lab.inside("10.96.0.1:81"), "refused");
}

TEST(ServiceChoice, SlicesOfOneServiceAddUp) {
    ServiceLab lab;
    lab.apply(service("web", kWeb) + slice("web", {ready("10.1.0.1")}, "", "one") +
              slice("web", {ready("10.1.0.2"), not_ready("10.1.0.1")}, "", "two"));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080 10.1.0.2:8080")
        << "an endpoint in two slices is one, and the better counts";
}

TEST(ServiceChoice, TerminatingServeOnlyWhenNobodyIsReady) {
    ServiceLab lab;
    lab.apply(service("web", kWeb) + slice("web", {ready("10.1.0.1"), terminating("10.1.0.2")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080");
    EXPECT_EQ(lab.backend("10.1.0.2:8080").state, WEIR_BACKEND_DRAINING);
    lab.apply(slice("web", {not_ready("10.1.0.1"), terminating("10.1.0.2")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.2:8080");
    EXPECT_EQ(lab.backend("10.1.0.2:8080").state, WEIR_BACKEND_ACTIVE);
}

TEST(ServiceChoice, ReadyAndTerminatingIsActive) { // publishNotReadyAddresses
    ServiceLab lab;
    lab.apply(service("web", kWeb) +
              slice("web", {ready("10.1.0.1"),
                            "{addresses: [10.1.0.2], nodeName: n1, conditions: "
                            "{ready: true, terminating: true}}"}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080 10.1.0.2:8080");
}

TEST(ServiceChoice, UnsetConditionsMeanReady) {
    ServiceLab lab;
    lab.apply(service("web", kWeb) + slice("web", {"{addresses: [10.1.0.1]}"}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080");
}

TEST(ServiceChoice, NodePortIsAtTheNodesAddresses) {
    ServiceLab lab;
    lab.apply(service("web", kNodePort) +
              slice("web", {ready("10.1.0.1"), ready("10.1.0.2", "n2")}));
    for (const auto* frontend : {"192.0.2.1:30080"}) {
        EXPECT_EQ(lab.inside(frontend), "10.1.0.1:8080 10.1.0.2:8080");
        EXPECT_EQ(lab.outside(frontend), "10.1.0.1:8080 10.1.0.2:8080");
    }
    EXPECT_EQ(lab.outside("[2001:db8::1]:30080"), "refused") << "no endpoint of that family";
    EXPECT_EQ(lab.outside("192.0.2.1:30081"), "untouched")
        << "the rest of the address is the host's";
    EXPECT_EQ(lab.inside("192.0.2.1:22"), "untouched");
}

TEST(ServiceChoice, NodePortFollowsTheNodesAddresses) {
    ServiceLab lab;
    lab.apply(service("web", kNodePort) + slice("web", {ready("10.1.0.1")}));
    lab.apply(
        "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nstatus: {addresses: [{type: "
        "InternalIP, address: 192.0.2.9}]}\n");
    EXPECT_EQ(lab.outside("192.0.2.1:30080"), "untouched");
    EXPECT_EQ(lab.outside("192.0.2.9:30080"), "10.1.0.1:8080");
}

TEST(ServiceChoice, ExternalTrafficPolicyLocalIsForOutsideAlone) {
    ServiceLab lab;
    lab.apply(balancer("externalTrafficPolicy: Local") +
              slice("web", {ready("10.1.0.1"), ready("10.1.0.2", "n2")}));
    for (const auto* frontend : {"198.51.100.1:80", "192.0.2.1:30080"}) {
        EXPECT_EQ(lab.outside(frontend), "10.1.0.1:8080") << frontend;
        EXPECT_EQ(lab.inside(frontend), "10.1.0.1:8080 10.1.0.2:8080") << frontend;
    }
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080 10.1.0.2:8080");
}

TEST(ServiceChoice, ExternalLocalWithoutLocalEndpointsDrops) {
    ServiceLab lab;
    lab.apply(balancer("externalTrafficPolicy: Local") + slice("web", {ready("10.1.0.2", "n2")}));
    for (const auto* frontend : {"198.51.100.1:80", "192.0.2.1:30080"}) {
        EXPECT_EQ(lab.outside(frontend), "dropped") << frontend;
        EXPECT_EQ(lab.inside(frontend), "10.1.0.2:8080") << frontend;
    }
    lab.apply(slice("web", {terminating("10.1.0.2", "n2")}));
    EXPECT_EQ(lab.outside("198.51.100.1:80"), "dropped") << "it still serves";
    for (const auto& nobody : {not_ready("10.1.0.2", "n2"), not_ready("10.1.0.1")}) {
        lab.apply(slice("web", {nobody}));
        EXPECT_EQ(lab.outside("198.51.100.1:80"), "refused") << "no backend anywhere";
    }
}

TEST(ServiceChoice, ExternalLocalFallsBackToLocalTerminating) {
    ServiceLab lab;
    lab.apply(balancer("externalTrafficPolicy: Local") +
              slice("web", {terminating("10.1.0.1"), ready("10.1.0.2", "n2")}));
    EXPECT_EQ(lab.outside("198.51.100.1:80"), "10.1.0.1:8080");
    EXPECT_EQ(lab.inside("198.51.100.1:80"), "10.1.0.2:8080");
}

TEST(ServiceChoice, InternalTrafficPolicyLocalIsForTheClusterIpAlone) {
    ServiceLab lab;
    lab.apply(balancer("internalTrafficPolicy: Local") +
              slice("web", {ready("10.1.0.1"), ready("10.1.0.2", "n2")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080");
    EXPECT_EQ(lab.outside("198.51.100.1:80"), "10.1.0.1:8080 10.1.0.2:8080");
    lab.apply(slice("web", {ready("10.1.0.2", "n2")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "refused");
}

TEST(ServiceChoice, InternalLocalIgnoresHints) {
    ServiceLab lab;
    lab.apply(service("web",
                      "clusterIP: 10.96.0.1\ninternalTrafficPolicy: Local\n"
                      "trafficDistribution: PreferSameZone\nports: [{port: 80}]") +
              slice("web", {hinted("10.1.0.1", "n1", "forZones: [{name: b}]"),
                            hinted("10.1.0.2", "n2", "forZones: [{name: a}]")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080");
}

TEST(ServiceChoice, ZoneHintsKeepTrafficInTheZone) {
    ServiceLab lab;
    lab.apply(service("web", kWeb) +
              slice("web", {hinted("10.1.0.1", "n2", "forZones: [{name: a}]"),
                            hinted("10.1.0.2", "n3", "forZones: [{name: b}]")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080");
    EXPECT_EQ(lab.backend("10.1.0.2:8080").state, WEIR_BACKEND_ACTIVE)
        << "it is well, only not from here";
}

TEST(ServiceChoice, NodeHintsComeBeforeZoneHints) {
    ServiceLab lab;
    const std::string zone = "forZones: [{name: a}], ";
    lab.apply(service("web", kWeb) +
              slice("web", {hinted("10.1.0.1", "n1", zone + "forNodes: [{name: n1}]"),
                            hinted("10.1.0.2", "n2", zone + "forNodes: [{name: n2}]")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080");
    lab.apply(slice("web", {hinted("10.1.0.3", "n3", zone + "forNodes: [{name: n3}]"),
                            hinted("10.1.0.2", "n2",
                                   "forZones: [{name: b}], forNodes: "
                                   "[{name: n2}]")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.3:8080") << "none for the node: the zone";
}

TEST(ServiceChoice, AnEndpointWithoutHintTurnsHintsOff) {
    ServiceLab lab;
    lab.apply(
        service("web", kWeb) +
        slice("web", {hinted("10.1.0.1", "n2", "forZones: [{name: a}]"), ready("10.1.0.2", "n3")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080 10.1.0.2:8080");
    lab.apply(slice(
        "web", {hinted("10.1.0.1", "n2", "forZones: [{name: a}]"),
                hinted("10.1.0.3", "n2", "forZones: [{name: b}]"), terminating("10.1.0.2", "n3")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080") << "one that terminates does not count";
    EXPECT_EQ(lab.backend("10.1.0.2:8080").state, WEIR_BACKEND_DRAINING);
}

TEST(ServiceChoice, NoHintForTheZoneTurnsHintsOff) {
    ServiceLab lab;
    lab.apply(service("web", kWeb) +
              slice("web", {hinted("10.1.0.1", "n2", "forZones: [{name: b}]"),
                            hinted("10.1.0.2", "n3", "forZones: [{name: c}]")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080 10.1.0.2:8080");
}

TEST(ServiceChoice, BalancerAddressesByIpMode) {
    ServiceLab lab;
    lab.apply(balancer("",
                       "{ip: 198.51.100.1, ipMode: Proxy}, {ip: 198.51.100.2, ipMode: VIP}, "
                       "{ip: 198.51.100.3}, {hostname: lb.example.org}") +
              slice("web", {ready("10.1.0.1")}));
    EXPECT_EQ(lab.outside("198.51.100.1:80"), "untouched");
    EXPECT_EQ(lab.outside("198.51.100.2:80"), "10.1.0.1:8080");
    EXPECT_EQ(lab.outside("198.51.100.3:80"), "10.1.0.1:8080");
    EXPECT_EQ(lab.outside("198.51.100.3:81"), "dropped");
}

TEST(ServiceChoice, WithoutNodePortsThereIsNone) {
    ServiceLab lab;
    lab.apply(service("web",
                      "type: LoadBalancer\nclusterIP: 10.96.0.1\n"
                      "allocateLoadBalancerNodePorts: false\nports: [{port: 80}]"));
    EXPECT_EQ(lab.outside("192.0.2.1:80"), "untouched");
    EXPECT_EQ(lab.frontends(), 2U) << "the cluster address and its wildcard";
}

TEST(ServiceChoice, ExternalIpsServeBothScopesAndLeaveOtherPortsAlone) {
    ServiceLab lab;
    lab.apply(service("web",
                      "clusterIP: 10.96.0.1\nexternalIPs: [203.0.113.1]\nports: [{port: "
                      "80}]") +
              slice("web", {ready("10.1.0.1")}));
    EXPECT_EQ(lab.inside("203.0.113.1:80"), "10.1.0.1:8080");
    EXPECT_EQ(lab.outside("203.0.113.1:80"), "10.1.0.1:8080");
    EXPECT_EQ(lab.outside("203.0.113.1:81"), "untouched");
}

TEST(ServiceChoice, SourceRangesAreForBalancerAddressesFromOutside) {
    ServiceLab lab;
    lab.apply(balancer("loadBalancerSourceRanges: [203.0.113.0/24, '2001:db8:1::/48']") +
              slice("web", {ready("10.1.0.1")}));
    const auto is_filtered = [&](const char* frontend, weir_service_scope scope) {
        return (lab.find(frontend, scope)->flags & WEIR_SERVICE_SOURCE_RANGES) != 0;
    };
    EXPECT_TRUE(is_filtered("198.51.100.1:80", WEIR_SCOPE_EXTERNAL));
    EXPECT_FALSE(is_filtered("198.51.100.1:80", WEIR_SCOPE_INTERNAL));
    EXPECT_FALSE(is_filtered("192.0.2.1:30080", WEIR_SCOPE_EXTERNAL));
    EXPECT_FALSE(is_filtered("10.96.0.1:80", WEIR_SCOPE_INTERNAL));
    ASSERT_EQ(lab.sources().size(), 2U);
    EXPECT_EQ(lab.sources()[0].service, lab.find("198.51.100.1:80", WEIR_SCOPE_EXTERNAL)->id);
    EXPECT_THAT((std::vector{lab.sources()[0].prefix_length, lab.sources()[1].prefix_length}),
                testing::UnorderedElementsAre(32U + 96 + 24, 32U + 48));
    lab.apply(balancer());
    EXPECT_TRUE(lab.sources().empty());
}

TEST(ServiceChoice, AffinityIsInSeconds) {
    ServiceLab lab;
    lab.apply(service("a", "clusterIP: 10.96.0.1\nsessionAffinity: ClientIP\nports: [{port: 80}]") +
              service("b",
                      "clusterIP: 10.96.0.2\nsessionAffinity: ClientIP\nsessionAffinityConfig: "
                      "{clientIP: {timeoutSeconds: 60}}\nports: [{port: 80}]") +
              service("c", "clusterIP: 10.96.0.3\nports: [{port: 80}]"));
    EXPECT_EQ(lab.find("10.96.0.1:80")->affinity, 10'800U);
    EXPECT_EQ(lab.find("10.96.0.2:80")->affinity, 60U);
    EXPECT_EQ(lab.find("10.96.0.3:80")->affinity, 0U);
}

TEST(ServiceChoice, BalanceByAnnotation) {
    ServiceLab lab;
    const auto with = [](const char* name, const char* ip, const char* balance) {
        return service(name,
                       "clusterIP: " + std::string(ip) + "\ntype: NodePort\nports: [{port: 80}]",
                       "annotations: {weir.io/balance: " + std::string(balance) +
                           ", weir.io/close-on-removal: 'true'}");
    };
    lab.apply(with("a", "10.96.0.1", "maglev") + with("b", "10.96.0.2", "least-connections") +
              slice("a", {ready("10.1.0.1")}) + slice("b", {ready("10.1.0.2")}));
    EXPECT_EQ(lab.find("10.96.0.1:80")->flags, WEIR_SERVICE_MAGLEV | WEIR_SERVICE_CLOSE_TCP);
    EXPECT_EQ(lab.find("10.96.0.1:80")->maglev_count, 251U);
    EXPECT_EQ(lab.find("10.96.0.2:80")->flags, WEIR_SERVICE_LEAST_LOADED | WEIR_SERVICE_CLOSE_TCP);
}

TEST(ServiceChoice, BackendsAnswerOutsideClientsThemselvesByAnnotation) {
    ServiceLab lab;
    lab.apply(service("a", "clusterIP: 10.96.0.1\nexternalIPs: [203.0.113.1]\nports: [{port: 80}]",
                      "annotations: {weir.io/forward: dsr}") +
              slice("a", {ready("10.1.0.1")}));
    EXPECT_EQ(lab.find("10.96.0.1:80")->flags, 0U);
    EXPECT_EQ(lab.find("203.0.113.1:80", WEIR_SCOPE_EXTERNAL)->flags,
              WEIR_SERVICE_DSR | WEIR_SERVICE_MAGLEV);
}

TEST(ServiceChoice, TheOldestServiceHasAContestedFrontend) {
    ServiceLab lab;
    const auto at = [](const char* name, const char* ip, const char* created) {
        return service(
            name,
            "clusterIP: " + std::string(ip) + "\nexternalIPs: [203.0.113.1]\nports: [{port: 80}]",
            "creationTimestamp: '" + std::string(created) + "'");
    };
    lab.apply(at("young", "10.96.0.1", "2025-01-02T00:00:00Z") +
              at("old", "10.96.0.2", "2025-01-01T00:00:00Z") + slice("young", {ready("10.1.0.1")}) +
              slice("old", {ready("10.1.0.2")}));
    EXPECT_EQ(lab.outside("203.0.113.1:80"), "10.1.0.2:8080");
    const auto collisions = lab.compiler().claims().collisions();
    ASSERT_EQ(collisions.size(), 2U) << "one in each scope";
    EXPECT_EQ(collisions[0].winner.name.get(), "old");
    EXPECT_EQ(collisions[0].loser.name.get(), "young");
    lab.remove(Kind::kService, "old");
    EXPECT_EQ(lab.outside("203.0.113.1:80"), "10.1.0.1:8080");
    EXPECT_TRUE(lab.compiler().claims().collisions().empty());
}

TEST(ServiceChoice, NodePortComesBeforeExternalAddressesOfTheSamePlace) {
    ServiceLab lab;
    lab.apply(service("a", "clusterIP: 10.96.0.1\nexternalIPs: [192.0.2.1]\nports: [{port: 30080}]",
                      "creationTimestamp: '2020-01-01T00:00:00Z'") +
              service("b",
                      "clusterIP: 10.96.0.2\ntype: NodePort\nports: [{port: 80, nodePort: 30080}]",
                      "creationTimestamp: '2025-01-01T00:00:00Z'") +
              slice("a", {ready("10.1.0.1")}) + slice("b", {ready("10.1.0.2")}));
    EXPECT_EQ(lab.outside("192.0.2.1:30080"), "10.1.0.2:8080");
}

TEST(ServiceChoice, HealthCheckCountsReadyLocalEndpoints) {
    ServiceLab lab;
    const auto count = [&] {
        return local_endpoints(
            plan_service(lab.compiler().index(), {Symbol("shop"), Symbol("web")}));
    };
    lab.apply(balancer("externalTrafficPolicy: Local") +
              slice("web", {ready("10.1.0.1"), ready("10.1.0.2", "n2"), not_ready("10.1.0.3")}));
    EXPECT_EQ(count(), 1U);
    lab.apply(slice("web", {terminating("10.1.0.1")}));
    EXPECT_EQ(count(), 0U) << "it still serves, but a balancer turns away";
}

} // namespace
} // namespace weir::test
