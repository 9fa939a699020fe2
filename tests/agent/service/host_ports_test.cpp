// SPDX-License-Identifier: Apache-2.0
// hostPort: the node's port leads to its pod.
#include <gmock/gmock.h>

#include "agent/service/service_problems.h"
#include "tests/agent/service/service_lab.h"

namespace weir::test {
namespace {

std::string pod(std::string_view ports, std::string_view node = "n1", std::string_view more = "",
                std::string_view phase = "Running") {
    return "apiVersion: v1\nkind: Pod\nmetadata: {namespace: shop, name: web}\nspec: {nodeName: " +
           std::string(node) + std::string(more) + ", containers: [{name: c, ports: [" +
           std::string(ports) + "]}]}\nstatus: {phase: " + std::string(phase) +
           ", podIPs: [{ip: 10.1.0.1}, {ip: 'fd00:1::1'}]}\n---\n";
}

TEST(HostPorts, LeadToThePodAtTheNodesAddresses) {
    ServiceLab lab;
    lab.apply(
        pod("{containerPort: 80, hostPort: 8080}, "
            "{containerPort: 53, protocol: UDP, hostPort: 53}, {containerPort: 9}"));
    for (const std::string side : {"inside", "outside"}) {
        const auto answer = [&](std::string_view frontend) {
            return side == "inside" ? lab.inside(frontend) : lab.outside(frontend);
        };
        EXPECT_EQ(answer("192.0.2.1:8080"), "10.1.0.1:80") << side;
        EXPECT_EQ(answer("[2001:db8::1]:8080"), "[fd00:1::1]:80") << side;
        EXPECT_EQ(answer("192.0.2.1:53/UDP"), "10.1.0.1:53") << side;
        EXPECT_EQ(answer("192.0.2.1:80"), "untouched") << side;
        EXPECT_EQ(answer("192.0.2.1:9"), "untouched") << side;
    }
}

TEST(HostPorts, GoWithThePod) {
    ServiceLab lab;
    lab.apply(pod("{containerPort: 80, hostPort: 8080}"));
    lab.apply(pod("{containerPort: 80, hostPort: 8081}"));
    EXPECT_EQ(lab.inside("192.0.2.1:8080"), "untouched");
    EXPECT_EQ(lab.inside("192.0.2.1:8081"), "10.1.0.1:80");
    lab.remove(Kind::kPod, "web");
    EXPECT_EQ(lab.inside("192.0.2.1:8081"), "untouched");
    EXPECT_EQ(lab.frontends(), 0U);
}

TEST(HostPorts, AreTheNodesOfThePodAlone) {
    ServiceLab lab;
    lab.apply(pod("{containerPort: 80, hostPort: 8080}", "n2"));
    EXPECT_EQ(lab.inside("192.0.2.1:8080"), "untouched");
}

TEST(HostPorts, OfPodsThatEndedOrAreInTheHostsNetworkAreNone) {
    ServiceLab lab;
    lab.apply(pod("{containerPort: 80, hostPort: 8080}", "n1", "", "Succeeded"));
    EXPECT_EQ(lab.inside("192.0.2.1:8080"), "untouched");
    lab.apply(pod("{containerPort: 80, hostPort: 80}", "n1", ", hostNetwork: true"));
    EXPECT_EQ(lab.inside("192.0.2.1:80"), "untouched");
}

TEST(HostPorts, AreAtTheirHostIpAlone) {
    ServiceLab lab;
    lab.apply(
        pod("{containerPort: 80, hostPort: 8080, hostIP: 127.0.0.1}, "
            "{containerPort: 81, hostPort: 8080, hostIP: 192.0.2.1}, "
            "{containerPort: 82, hostPort: 8082, hostIP: 0.0.0.0}"));
    EXPECT_EQ(lab.inside("127.0.0.1:8080"), "10.1.0.1:80");
    EXPECT_EQ(lab.inside("192.0.2.1:8080"), "10.1.0.1:81");
    EXPECT_EQ(lab.inside("[2001:db8::1]:8080"), "untouched");
    EXPECT_EQ(lab.inside("[2001:db8::1]:8082"), "[fd00:1::1]:82");
}

TEST(HostPorts, ThatAreNodePortsAreTheServices) {
    ServiceLab lab;
    lab.apply(pod("{containerPort: 80, hostPort: 30080}"));
    EXPECT_EQ(lab.outside("192.0.2.1:30080"), "10.1.0.1:80");
    lab.apply(
        service("api",
                "type: NodePort\nclusterIP: 10.96.0.1\nports: [{port: 80, nodePort: 30080}]") +
        slice("api", {ready("10.1.0.7")}));
    EXPECT_EQ(lab.outside("192.0.2.1:30080"), "10.1.0.7:8080");
    std::vector<std::string> told;
    for (const auto& problem : service_problems(lab.compiler()))
        told.push_back(problem.text);
    EXPECT_THAT(told, ::testing::Contains(
                          "the hostPort of Pod shop/web: 192.0.2.1:30080/TCP belongs to Service "
                          "shop/api; give one of them another address or port"));
    lab.remove(Kind::kService, "api");
    EXPECT_EQ(lab.outside("192.0.2.1:30080"), "10.1.0.1:80");
}

TEST(HostPorts, KeepTheirIdsOverARestart) {
    ServiceLab lab;
    lab.apply(pod("{containerPort: 80, hostPort: 8080}"));
    const auto id = lab.backend_id("10.1.0.1:80");
    lab.restart();
    EXPECT_EQ(lab.inside("192.0.2.1:8080"), "10.1.0.1:80");
    EXPECT_EQ(lab.backend_id("10.1.0.1:80"), id);
}

} // namespace
} // namespace weir::test
