// SPDX-License-Identifier: Apache-2.0
// Service, EndpointSlice, routes and DestinationRule: what is refused, what is only told.
#include <netinet/in.h>

#include "agent/kube/kind.h"
#include "tests/agent/kube/decode_support.h"

namespace weir {
namespace {

// Line 4 is "spec:", the text begins in line 5.
std::string manifest(std::string_view version, std::string_view kind, std::string_view spec) {
    return "apiVersion: " + std::string(version) + "\nkind: " + std::string(kind) +
           "\nmetadata: {namespace: x, name: p}\nspec:\n  " + indented(spec, "  ") + "\n";
}

DecodedFile service(std::string_view spec) {
    return decode_file("f.yaml", manifest("v1", "Service", spec));
}
DecodedFile slice(std::string_view text) {
    return decode_file(
        "f.yaml",
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {namespace: "
        "x, name: p, labels: {kubernetes.io/service-name: web}}\n" +
            std::string(text) + "\n");
}
DecodedFile route(std::string_view spec) {
    return decode_file("f.yaml", manifest("gateway.networking.k8s.io/v1", "HTTPRoute", spec));
}
DecodedFile destination_rule(std::string_view spec) {
    return decode_file("f.yaml", manifest("networking.istio.io/v1", "DestinationRule", spec));
}

template <typename Typed>
Typed valid(const DecodedFile& file) {
    EXPECT_TRUE(file.problems.empty()) << to_text(file.problems);
    if (file.objects.empty() || !file.objects[0].object) {
        ADD_FAILURE() << "no object";
        return {};
    }
    return std::get<Typed>(*file.objects[0].object);
}

TEST(DecodeService, Whole) {
    const auto decoded = valid<Service>(service(R"(type: LoadBalancer
clusterIP: 10.96.0.1
clusterIPs: [10.96.0.1, 'fd00::1']
ipFamilies: [IPv4, IPv6]
ipFamilyPolicy: PreferDualStack
selector: {app: web}
ports:
- {name: http, port: 80, targetPort: web, nodePort: 30080, appProtocol: http}
- {name: dns, port: 53, protocol: UDP}
externalIPs: [203.0.113.1]
sessionAffinity: ClientIP
sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}
externalTrafficPolicy: Local
internalTrafficPolicy: Local
healthCheckNodePort: 32000
loadBalancerSourceRanges: [192.0.2.0/24]
trafficDistribution: PreferClose)"));
    const std::vector<ServiceAddress> addresses{
        {*Address::parse("10.96.0.1"), ServiceAddress::Kind::kCluster},
        {*Address::parse("fd00::1"), ServiceAddress::Kind::kCluster},
        {*Address::parse("203.0.113.1"), ServiceAddress::Kind::kExternal}};
    EXPECT_EQ(decoded.addresses, addresses);
    const std::vector<ServicePort> ports{{Symbol("http"), 80, 30080, IPPROTO_TCP},
                                         {Symbol("dns"), 53, 0, IPPROTO_UDP}};
    EXPECT_EQ(decoded.ports, ports);
    EXPECT_EQ(decoded.affinity, 60U);
    EXPECT_TRUE(decoded.is_external_local);
    EXPECT_TRUE(decoded.is_internal_local);
    EXPECT_EQ(decoded.health_check_node_port, 32000);
    EXPECT_EQ(decoded.source_ranges.size(), 1U);
}

TEST(DecodeService, Refusals) {
    for (const Remark& remark : {
             Remark{"clusterIP: 10.96.0.1", "spec.ports", "is required"},
             Remark{"ports: [{port: 0}]", "spec.ports[0].port", "no port number"},
             Remark{"ports: [{name: a}]", "spec.ports[0].port", "is required"},
             Remark{"ports: [{port: 80, protocol: ICMP}]", "spec.ports[0].protocol", "unknown"},
             Remark{"ports: [{port: 80}, {name: b, port: 81}]", "spec.ports[0].name",
                    "is required"},
             Remark{"ports: [{name: a, port: 80}, {name: a, port: 81}]", "spec.ports[1].name",
                    "two ports"},
             Remark{"ports: [{name: a, port: 80}, {name: b, port: 80}]", "spec.ports[1].port",
                    "two ports"},
             Remark{"ports: [{port: 80, nodePort: 30000}]", "spec.ports[0].nodePort",
                    "NodePort and LoadBalancer"},
             Remark{"type: Nodeport\nports: [{port: 80}]", "spec.type", "unknown value"},
             Remark{"clusterIP: 10.96.0.x\nports: [{port: 80}]", "spec.clusterIP", "no IP address"},
             Remark{"sessionAffinity: Client\nports: [{port: 80}]", "spec.sessionAffinity",
                    "unknown value"},
             Remark{"externalTrafficPolicy: Local\nports: [{port: 80}]",
                    "spec.externalTrafficPolicy", "outside"},
             Remark{"loadBalancerSourceRanges: [10.0.0.0/8]\nports: [{port: 80}]",
                    "spec.loadBalancerSourceRanges", "LoadBalancer"},
             Remark{"healthCheckNodePort: 32000\nports: [{port: 80}]", "spec.healthCheckNodePort",
                    "LoadBalancer"},
             Remark{"trafficDistribution: Close\nports: [{port: 80}]", "spec.trafficDistribution",
                    "unknown value"},
         }) {
        const DecodedFile file = service(remark.spec);
        EXPECT_TRUE(has_problem(file, Severity::kError, remark, "Service x/p"))
            << remark.spec << to_text(file.problems);
    }
}

TEST(DecodeService, BalanceIsOneOfThree) {
    const DecodedFile file =
        decode_file("f.yaml",
                    "apiVersion: v1\nkind: Service\nmetadata: {name: a, annotations: "
                    "{weir.io/balance: fastest}}\nspec: {ports: [{port: 80}]}\n");
    ASSERT_EQ(file.problems.size(), 1U);
    EXPECT_EQ(file.problems[0].field, "metadata.annotations[weir.io/balance]");
    EXPECT_THAT(file.problems[0].remedy, testing::HasSubstr("least-connections"));
}

TEST(DecodeService, AnotherProxysHasNoFrontends) {
    for (const std::string label : {"service-proxy-name: other", "headless: ''"}) {
        std::string text = manifest("v1", "Service", R"(type: NodePort
clusterIP: 10.96.0.1
ports: [{port: 80, nodePort: 30080}])");
        const std::string labels = ", labels: {service.kubernetes.io/" + label + "}}";
        text.replace(text.find("name: p}") + 7, 1, labels);
        const auto decoded = valid<Service>(decode_file("f.yaml", text));
        EXPECT_TRUE(decoded.addresses.empty()) << label;
        EXPECT_EQ(decoded.ports.at(0).node_port, 0) << label;
    }
}

TEST(DecodeEndpointSlice, AnotherProxysIsNoServices) {
    const auto decoded =
        valid<EndpointSlice>(decode_file("f.yaml", R"(apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: x, name: p, labels: {kubernetes.io/service-name: web, service.kubernetes.io/headless: ""}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1]}]
ports: [{port: 80}]
)"));
    EXPECT_EQ(decoded.service.get(), "");
}

TEST(DecodeEndpointSlice, ConditionsDefault) {
    const auto decoded = valid<EndpointSlice>(slice(R"(addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints:
- {addresses: [10.1.0.1], nodeName: n1, zone: a, hints: {forZones: [{name: a}]}}
- {addresses: [10.1.0.2], conditions: {ready: false}}
- {addresses: [10.1.0.3], conditions: {ready: false, serving: true, terminating: true}})"));
    ASSERT_EQ(decoded.endpoints.size(), 3U);
    EXPECT_EQ(decoded.service.get(), "web");
    EXPECT_TRUE(decoded.endpoints[0].is_ready && decoded.endpoints[0].is_serving);
    EXPECT_EQ(decoded.endpoints[0].hints.size(), 1U);
    EXPECT_FALSE(decoded.endpoints[1].is_ready || decoded.endpoints[1].is_serving);
    EXPECT_TRUE(decoded.endpoints[2].is_serving && decoded.endpoints[2].is_terminating);
}

TEST(DecodeEndpointSlice, Refusals) {
    for (const Remark& remark : {
             Remark{"addressType: IPv5", "addressType", "unknown value", 4},
             Remark{"endpoints: []", "addressType", "is required", 1},
             Remark{"addressType: IPv4\nendpoints: [{addresses: ['fd00::1']}]",
                    "endpoints[0].addresses[0]", "another family", 5},
             Remark{"addressType: IPv4\nendpoints: [{}]", "endpoints[0].addresses", "is required",
                    5},
             Remark{"addressType: IPv4\nports: [{port: 70000}]", "ports[0].port", "no port number",
                    5},
         }) {
        const DecodedFile file = slice(remark.spec);
        EXPECT_TRUE(has_problem(file, Severity::kError, remark, "EndpointSlice x/p"))
            << remark.spec << to_text(file.problems);
    }
}

TEST(DecodeEndpointSlice, NamesAreNotUsed) {
    const DecodedFile file = slice("addressType: FQDN\nendpoints: [{addresses: [a.example]}]");
    EXPECT_TRUE(file.objects.empty());
    EXPECT_TRUE(has_problem(file, Severity::kWarning,
                            {"", "addressType", "does not use slices of names", 4},
                            "EndpointSlice x/p"));
}

constexpr const char* kParent = "parentRefs: [{group: '', kind: Service, name: web}]\n";

TEST(DecodeRoute, OfAGatewayIsNobodysBusiness) {
    const DecodedFile file = route(
        "parentRefs: [{name: gateway}]\nrules: [{matches: [{path: "
        "{value: /x}}]}]");
    EXPECT_TRUE(file.objects.empty());
    EXPECT_TRUE(file.problems.empty());
}

TEST(DecodeRoute, WhatLayerFourCannotDoIsTold) {
    for (const Remark& remark : {
             Remark{"hostnames: [a.example]\nrules: [{backendRefs: [{name: a, port: 80}]}]",
                    "spec.hostnames", "layer 7"},
             Remark{"rules: [{matches: [{path: {value: /x}}], backendRefs: [{name: a, port: 80}]}]",
                    "spec.rules[0].matches", "layer 7"},
             Remark{"rules: [{filters: [{type: URLRewrite}], backendRefs: [{name: a, port: 80}]}]",
                    "spec.rules[0].filters", "layer 7"},
             Remark{"rules: [{}]", "spec.rules[0].backendRefs", "names no backend"},
         }) {
        const DecodedFile file = route(kParent + std::string(remark.spec));
        EXPECT_TRUE(has_problem(file, Severity::kWarning, remark, "HTTPRoute x/p"))
            << remark.spec << to_text(file.problems);
        ASSERT_EQ(file.objects.size(), 1U);
        EXPECT_FALSE(std::get<TrafficRoute>(*file.objects[0].object).not_applied.get().empty());
    }
}

TEST(DecodeRoute, WhatIsNoServiceKeepsItsWeight) {
    const DecodedFile file =
        route(std::string(kParent) +
              "rules: [{backendRefs: [{name: a, port: 80}, {kind: Pod, name: b, weight: 7}]}]");
    EXPECT_TRUE(has_problem(file, Severity::kWarning,
                            {"", "spec.rules[0].backendRefs[1]", "is no Service"}, "HTTPRoute x/p"))
        << to_text(file.problems);
    ASSERT_EQ(file.objects.size(), 1U);
    const auto& decoded = std::get<TrafficRoute>(*file.objects[0].object);
    EXPECT_TRUE(decoded.not_applied.get().empty());
    ASSERT_EQ(decoded.backends.size(), 2U);
    EXPECT_EQ(decoded.backends[1].service, ObjectName());
    EXPECT_EQ(decoded.backends[1].weight, 7U);
}

TEST(DecodeRoute, Refusals) {
    for (const Remark& remark : {
             Remark{"rules: [{backendRefs: [{name: a}]}]", "spec.rules[0].backendRefs[0].port",
                    "is required"},
             Remark{"rules: [{backendRefs: [{name: a, port: 80, weight: -1}]}]",
                    "spec.rules[0].backendRefs[0].weight", "between 0 and 1000000"},
         }) {
        const DecodedFile file = route(kParent + std::string(remark.spec));
        EXPECT_TRUE(has_problem(file, Severity::kError, remark, "HTTPRoute x/p"))
            << remark.spec << to_text(file.problems);
    }
}

TEST(DecodeDestinationRule, HostsAndLimits) {
    for (const auto* host : {"web", "web.x.svc", "web.x.svc.cluster.local"}) {
        const auto decoded = valid<DestinationRule>(
            destination_rule("host: " + std::string(host) +
                             "\ntrafficPolicy: {connectionPool: {tcp: {maxConnections: 5}}}"));
        EXPECT_EQ(decoded.service.name.get(), "web");
        EXPECT_EQ(decoded.max_connections, 5U);
        EXPECT_EQ(decoded.outliers.consecutive, 0U);
    }
}

TEST(DecodeDestinationRule, OutlierDefaultsAreIstios) {
    const auto decoded = valid<DestinationRule>(
        destination_rule("host: web\ntrafficPolicy: {outlierDetection: {}}"));
    EXPECT_EQ(decoded.outliers.consecutive, 5U);
    EXPECT_EQ(decoded.outliers.ejection_ms, 30'000U);
    EXPECT_EQ(decoded.outliers.interval_ms, 10'000U);
    EXPECT_EQ(decoded.outliers.most_percent, 10);
}

TEST(DecodeDestinationRule, Refusals) {
    const DecodedFile file =
        destination_rule("host: web\ntrafficPolicy: {outlierDetection: {interval: soon}}");
    EXPECT_TRUE(has_problem(file, Severity::kError,
                            {"", "spec.trafficPolicy.outlierDetection.interval", "no duration"},
                            "DestinationRule x/p"))
        << to_text(file.problems);
    const DecodedFile other = destination_rule(
        "host: '*.example.org'\ntrafficPolicy: {connectionPool: {tcp: {maxConnections: 5}}}");
    EXPECT_TRUE(other.objects.empty());
    EXPECT_TRUE(has_problem(other, Severity::kWarning, {"", "spec.host", "no Service"},
                            "DestinationRule x/p"));
}

TEST(DecodeService, OtherVersionsOfTheKinds) {
    for (const auto& [version, kind] :
         {std::pair{"gateway.networking.k8s.io/v1beta1", "HTTPRoute"},
          std::pair{"gateway.networking.k8s.io/v1alpha2", "TCPRoute"},
          std::pair{"gateway.networking.k8s.io/v1", "ReferenceGrant"},
          std::pair{"networking.istio.io/v1alpha3", "DestinationRule"},
          std::pair{"networking.istio.io/v1beta1", "DestinationRule"}}) {
        EXPECT_EQ(kind_info(version, kind).use, KindUse::kUsed) << version;
    }
    EXPECT_EQ(kind_info("discovery.k8s.io/v1beta1", "EndpointSlice").use, KindUse::kUnknownVersion);
}

} // namespace
} // namespace weir
