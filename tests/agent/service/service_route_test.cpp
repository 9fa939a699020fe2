// SPDX-License-Identifier: Apache-2.0
// Traffic shifting and limits: Gateway API routes and DestinationRules.
#include <gmock/gmock.h>

#include "tests/agent/service/service_lab.h"

namespace weir::test {
namespace {

// Services web, old and new; old has one endpoint, new has two, web one of its own.
std::string shop() {
    std::string text;
    int last = 1;
    for (const auto* name : {"web", "old", "new"}) {
        text +=
            service(name, "clusterIP: 10.96.0." + std::to_string(last++) + "\nports: [{port: 80}]");
    }
    return text + slice("web", {ready("10.1.0.1")}) + slice("old", {ready("10.1.1.1")}) +
           slice("new", {ready("10.1.2.1"), ready("10.1.2.2", "n2")});
}

TEST(ServiceRoute, WeightsAreSharedByTheEndpointsOfEach) {
    ServiceLab lab;
    lab.apply(shop() + route("web", "old=90 new=10"));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.1.1:8080*18 10.1.2.1:8080*1 10.1.2.2:8080*1");
    EXPECT_EQ(lab.inside("10.96.0.2:80"), "10.1.1.1:8080") << "the others are as they were";
}

TEST(ServiceRoute, WeightsChangeLiveAndZeroDrains) {
    ServiceLab lab;
    lab.apply(shop() + route("web", "old=50 new=50"));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.1.1:8080*2 10.1.2.1:8080*1 10.1.2.2:8080*1");
    const auto old = lab.backend_id("10.1.1.1:8080");
    lab.apply(route("web", "old=0 new=100"));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.2.1:8080 10.1.2.2:8080");
    EXPECT_EQ(lab.inside("10.96.0.2:80"), "10.1.1.1:8080");
    bool is_drained = false; // the one of web's port; old's own stays active
    for (const auto& update : lab.last().backends) {
        is_drained |= update.state == WEIR_BACKEND_DRAINING;
    }
    EXPECT_TRUE(is_drained);
    EXPECT_NE(old, 0U);
    lab.remove(Kind::kTcpRoute, "r");
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080");
}

TEST(ServiceRoute, EndpointsOfABackendServiceAreFollowed) {
    ServiceLab lab;
    lab.apply(shop() + route("web", "old=1 new=1"));
    lab.apply(slice("new", {ready("10.1.2.1")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.1.1:8080 10.1.2.1:8080");
    lab.apply(slice("new", {not_ready("10.1.2.1")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.1.1:8080 refused");
    lab.remove(Kind::kService, "old");
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "refused");
}

TEST(ServiceRoute, TheShareOfWhatLeadsNowhereIsRefused) {
    ServiceLab lab;
    lab.apply(shop() + route("web", "old=60 gone=40"));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.1.1:8080*3 refused*2") << "no such Service";
    lab.apply(service("gone", "clusterIP: 10.96.0.4\nports: [{port: 80}]"));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.1.1:8080*3 refused*2") << "no endpoints";
    lab.restart();
    EXPECT_TRUE(lab.last().is_empty()) << "an agent that comes back finds its slots";
    lab.apply(slice("gone", {ready("10.1.4.1")}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.1.1:8080*3 10.1.4.1:8080*2");
    lab.apply(service("gone", "clusterIP: 10.96.0.4\nports: [{port: 81}]"));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.1.1:8080*3 refused*2") << "no such port";
    lab.apply(route("web", "old=60 gone=0"));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.1.1:8080");
    lab.apply(route("web", "old=0 gone=1"));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "refused");
}

TEST(ServiceRoute, TheShareOfAnotherKindIsRefused) {
    ServiceLab lab;
    lab.apply(shop() +
              "apiVersion: gateway.networking.k8s.io/v1\nkind: TCPRoute\nmetadata: {namespace: "
              "shop, name: r}\nspec:\n  parentRefs: [{group: '', kind: Service, name: web}]\n"
              "  rules:\n  - backendRefs: [{name: old, port: 80, weight: 3},\n"
              "      {group: example.com, kind: Bucket, name: old, weight: 1}]\n");
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.1.1:8080*3 refused*1");
}

// Local is about which endpoints a node may use, not about which there are.
TEST(ServiceRoute, WhoHasEndpointsElsewhereRefusesNothingHere) {
    ServiceLab lab;
    lab.apply(
        shop() +
        service("web", "clusterIP: 10.96.0.1\ninternalTrafficPolicy: Local\nports: [{port: 80}]") +
        slice("new", {ready("10.1.2.2", "n2")}) + route("web", "old=1 new=1"));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.1.1:8080");
    lab.apply(slice("new", {}));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.1.1:8080 refused");
}

TEST(ServiceRoute, AFamilyWithoutEndpointsIsRefusedItsShareAlone) {
    ServiceLab lab;
    lab.apply(shop() +
              service("web",
                      "clusterIPs: [10.96.0.1, 'fd00::1']\nclusterIP: 10.96.0.1\n"
                      "ipFamilyPolicy: RequireDualStack\nipFamilies: [IPv4, IPv6]\n"
                      "ports: [{port: 80}]") +
              slice("old", {ready("fd00:1::1")}) + route("web", "old=1 new=1"));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.1.1:8080*2 10.1.2.1:8080*1 10.1.2.2:8080*1");
    EXPECT_EQ(lab.inside("[fd00::1]:80"), "[fd00:1::1]:8080 refused");
}

TEST(ServiceRoute, TheOldestRouteCounts) {
    ServiceLab lab;
    lab.apply(shop() + route("web", "new=1", "b") + route("web", "old=1", "a"));
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.1.1:8080");
    lab.remove(Kind::kTcpRoute, "a");
    EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.2.1:8080 10.1.2.2:8080");
}

std::string http_route(std::string_view rule) {
    return "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {namespace: shop, "
           "name: h}\nspec:\n  parentRefs: [{group: '', kind: Service, name: web, port: 80}]\n"
           "  rules:\n  - backendRefs: [{name: new, port: 80}]\n    " +
           std::string(rule) + "\n---\n";
}

TEST(ServiceRoute, HttpRouteWithoutMatchesCounts) {
    for (const auto* rule : {"", "matches: [{path: {type: PathPrefix, value: /}}]"}) {
        ServiceLab lab;
        lab.apply(shop() + http_route(rule));
        EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.2.1:8080 10.1.2.2:8080") << rule;
    }
}

TEST(ServiceRoute, LayerSevenLeavesTheTrafficAsItIs) {
    for (const auto* rule : {"matches: [{path: {type: PathPrefix, value: /x}}]",
                             "matches: [{headers: [{name: a, value: b}]}]",
                             "filters: [{type: RequestHeaderModifier}]"}) {
        ServiceLab lab;
        lab.apply(shop() + http_route(rule));
        EXPECT_EQ(lab.inside("10.96.0.1:80"), "10.1.0.1:8080") << rule;
    }
}

TEST(ServiceRoute, OutsideFrontendsAreShiftedToo) {
    ServiceLab lab;
    lab.apply(shop() +
              service("web",
                      "clusterIP: 10.96.0.1\ntype: NodePort\nports: [{port: 80, nodePort: "
                      "30080}]") +
              route("web", "old=75 new=25"));
    EXPECT_EQ(lab.outside("192.0.2.1:30080"), "10.1.1.1:8080*6 10.1.2.1:8080*1 10.1.2.2:8080*1");
    EXPECT_EQ(lab.maglev("192.0.2.1:30080"), "10.1.1.1:8080*75 10.1.2.1:8080*12 10.1.2.2:8080*12");
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
    return text;
}

// Service web of namespace front, whose route names Services of shop.
std::string front(std::string_view split) {
    return replaced(service("web", "clusterIP: 10.96.1.1\nports: [{port: 80}]"), "namespace: shop",
                    "namespace: front") +
           replaced(replaced(route("web", split), "namespace: shop", "namespace: front"),
                    "- {name:", "- {namespace: shop, name:");
}

// In namespace shop.
std::string grant(std::string_view kind, std::string_view from, std::string_view to = "") {
    return "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: "
           "{namespace: shop, name: g}\nspec:\n  from: [{group: gateway.networking.k8s.io, kind: " +
           std::string(kind) + ", namespace: " + std::string(from) +
           "}]\n  to: [{group: '', kind: Service" + (to.empty() ? "" : ", name: ") +
           std::string(to) + "}]\n---\n";
}

TEST(ServiceRoute, AnotherNamespacesServicesNeedItsGrant) {
    const std::string all = "10.1.1.1:8080*2 10.1.2.1:8080*1 10.1.2.2:8080*1";
    ServiceLab lab;
    lab.apply(shop() + front("old=1 new=1"));
    EXPECT_EQ(lab.inside("10.96.1.1:80"), "refused");
    lab.apply(grant("TCPRoute", "front", "old"));
    EXPECT_EQ(lab.inside("10.96.1.1:80"), "10.1.1.1:8080 refused");
    lab.apply(grant("TCPRoute", "front"));
    EXPECT_EQ(lab.inside("10.96.1.1:80"), all);
    lab.restart();
    EXPECT_EQ(lab.inside("10.96.1.1:80"), all);
    lab.apply(grant("TCPRoute", "other"));
    EXPECT_EQ(lab.inside("10.96.1.1:80"), "refused") << "of another namespace";
    lab.apply(grant("HTTPRoute", "front"));
    EXPECT_EQ(lab.inside("10.96.1.1:80"), "refused") << "for another kind";
    lab.apply(grant("TCPRoute", "front"));
    EXPECT_EQ(lab.inside("10.96.1.1:80"), all);
    lab.remove(Kind::kReferenceGrant, "g");
    EXPECT_EQ(lab.inside("10.96.1.1:80"), "refused");
    EXPECT_EQ(lab.inside("10.96.0.2:80"), "10.1.1.1:8080") << "as it was all the time";
}

TEST(ServiceRoute, AGrantFromBeforeTheRouteCounts) {
    ServiceLab lab;
    lab.apply(grant("TCPRoute", "front", "new"));
    lab.apply(shop() + front("new=1"));
    EXPECT_EQ(lab.inside("10.96.1.1:80"), "10.1.2.1:8080 10.1.2.2:8080");
}

TEST(ServiceRoute, MaglevTablesRefuseTheSameShare) {
    ServiceLab lab;
    lab.apply(shop() +
              service("web",
                      "clusterIP: 10.96.0.1\ntype: NodePort\nports: [{port: 80, nodePort: "
                      "30080}]") +
              route("web", "old=75 gone=25"));
    EXPECT_EQ(lab.outside("192.0.2.1:30080"), "10.1.1.1:8080*3 refused*1");
    EXPECT_EQ(lab.maglev("192.0.2.1:30080"), "10.1.1.1:8080*75 refused*25");
}

TEST(ServiceRoute, DestinationRuleLimitsConnections) {
    ServiceLab lab;
    const std::string rule =
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: "
        "{namespace: shop, name: d}\nspec:\n  host: "
        "web.shop.svc.cluster.local\n  trafficPolicy:\n    connectionPool: "
        "{tcp: {maxConnections: 7}}\n";
    lab.apply(shop() + rule);
    EXPECT_EQ(lab.backend("10.1.0.1:8080").max_connections, 7U);
    EXPECT_EQ(lab.backend("10.1.1.1:8080").max_connections, 0U);
    lab.remove(Kind::kDestinationRule, "d");
    EXPECT_EQ(lab.backend("10.1.0.1:8080").max_connections, 0U);
}

TEST(ServiceRoute, DestinationRuleNamesOutliers) {
    ServiceLab lab;
    lab.apply(shop() +
              "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {namespace: "
              "shop, name: d}\nspec:\n  host: web\n  trafficPolicy:\n    outlierDetection: "
              "{consecutive5xxErrors: 3, baseEjectionTime: 1m30s, interval: 500ms, "
              "maxEjectionPercent: 50}\n");
    const auto plan = plan_service(lab.compiler().index(), {Symbol("shop"), Symbol("web")});
    const DestinationRule::Outliers expected{
        .consecutive = 3, .ejection_ms = 90'000, .interval_ms = 500, .most_percent = 50};
    EXPECT_EQ(plan.ports.at(0).outliers, expected);
}

} // namespace
} // namespace weir::test
