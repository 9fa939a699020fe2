// SPDX-License-Identifier: Apache-2.0
#include "agent/report/route_status.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <netinet/in.h>

#include <nlohmann/json.hpp>

#include "policy/service_index.h"
#include "tests/agent/report/report_support.h"

namespace weir {
namespace {

using test::kReportedAt;
using test::object_yaml;
using test::ReportedSet;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::string kParent = "{group: \"\", kind: Service, name: web, port: 80}";
const std::string kBackends =
    "backendRefs: [{name: v1, port: 80, weight: 9}, {name: v2, port: 80}]";

std::string route(const std::string& rule, const std::string& parents = kParent,
                  const std::string& status = "") {
    return object_yaml(
        "gateway.networking.k8s.io/v1", "HTTPRoute",
        fmt::format("spec: {{parentRefs: [{}], rules: [{{{}}}]}}\n{}", parents, rule, status));
}

class RouteStatus : public testing::Test {
protected:
    RouteStatus() {
        for (const char* name : {"web", "v1", "v2"})
            add_service("shop", name);
    }

    void add_service(const std::string& ns, const std::string& name) {
        Service service;
        service.name = {Symbol(ns), Symbol(name)};
        service.addresses = {{*Address::parse("10.96.0.1"), ServiceAddress::Kind::kCluster}};
        service.ports = {{Symbol(""), 80, 0, IPPROTO_TCP}};
        services_.apply({.upserts = {service}, .erasures = {}});
    }

    void put(const std::string& yaml) {
        set_.put(yaml);
        services_.apply(set_.take_change());
    }

    // "Accepted=True Accepted", of all parents.
    std::vector<std::string> conditions() const {
        std::vector<std::string> words;
        set_.visit([&](const ReportedObject& object) {
            for (const auto& parent : desired_parents(object, services_)) {
                for (const auto& one : parent.conditions)
                    words.push_back(one.type + "=" + one.status + " " + one.reason);
            }
        });
        return words;
    }

    std::optional<StatusWrite> write() const {
        std::optional<StatusWrite> write;
        set_.visit([&](const ReportedObject& object) {
            write = route_status_write(object, services_, kReportedAt);
        });
        return write;
    }

    ServiceIndex services_{Symbol("n1")};
    ReportedSet set_{Kind::kHttpRoute};
};

TEST_F(RouteStatus, ARouteWithoutMatchesIsAccepted) {
    put(route(kBackends));
    EXPECT_THAT(conditions(),
                ElementsAre("Accepted=True Accepted", "ResolvedRefs=True ResolvedRefs"));
    put(route("matches: [{path: {type: PathPrefix, value: /}}], " + kBackends));
    EXPECT_THAT(conditions(),
                ElementsAre("Accepted=True Accepted", "ResolvedRefs=True ResolvedRefs"));
}

TEST_F(RouteStatus, WhatNeedsLayer7IsAnUnsupportedValue) {
    for (const char* rule :
         {"matches: [{path: {value: /cart}}], ", "filters: [{type: RequestRedirect}], "}) {
        put(route(rule + kBackends));
        EXPECT_THAT(conditions(), ElementsAre("Accepted=False UnsupportedValue",
                                              "ResolvedRefs=True ResolvedRefs"))
            << rule;
    }
    EXPECT_THAT(write()->content, HasSubstr("needs layer 7; the Service's traffic stays as it is"));
}

TEST_F(RouteStatus, AnInvalidRouteIsNotAccepted) {
    put(route("backendRefs: [{name: v1}]"));
    EXPECT_THAT(conditions(), ElementsAre("Accepted=False UnsupportedValue", testing::_));
}

TEST_F(RouteStatus, BackendsAreResolved) {
    put(route("backendRefs: [{name: v1, port: 80}, {name: v9, port: 80}]"));
    EXPECT_THAT(conditions(),
                ElementsAre("Accepted=True Accepted", "ResolvedRefs=False BackendNotFound"));
    add_service("shop", "v9");
    EXPECT_THAT(conditions(),
                ElementsAre("Accepted=True Accepted", "ResolvedRefs=True ResolvedRefs"));
    put(route("backendRefs: [{name: v1, port: 81}]"));
    EXPECT_THAT(conditions(), ElementsAre(testing::_, "ResolvedRefs=False BackendNotFound"));
    put(route("backendRefs: [{name: v1, kind: Bucket, group: example.com}]"));
    EXPECT_THAT(conditions(),
                ElementsAre("Accepted=True Accepted", "ResolvedRefs=False InvalidKind"));
}

TEST_F(RouteStatus, AnotherNamespacesServicesNeedItsGrant) {
    put(route("backendRefs: [{name: v1, namespace: other, port: 80}]"));
    EXPECT_THAT(conditions(),
                ElementsAre("Accepted=True Accepted", "ResolvedRefs=False RefNotPermitted"));
    EXPECT_THAT(write()->content,
                HasSubstr("Service other/v1 is in another namespace: create a ReferenceGrant in "
                          "namespace other from HTTPRoutes of namespace shop to Services"));
    ReferenceGrant grant;
    grant.name = {Symbol("other"), Symbol("g")};
    grant.from = {{TrafficRoute::Api::kHttp, Symbol("shop")}};
    grant.to = {Symbol("v1")};
    services_.apply({.upserts = {grant}, .erasures = {}});
    EXPECT_THAT(conditions(), ElementsAre(testing::_, "ResolvedRefs=False BackendNotFound"));
    add_service("other", "v1");
    EXPECT_THAT(conditions(), ElementsAre(testing::_, "ResolvedRefs=True ResolvedRefs"));
    services_.apply({.upserts = {}, .erasures = {{Kind::kReferenceGrant, grant.name}}});
    EXPECT_THAT(conditions(), ElementsAre(testing::_, "ResolvedRefs=False RefNotPermitted"));
}

TEST_F(RouteStatus, OnlyServicesThatThereAreHaveAnEntry) {
    put(route(kBackends, "{name: gateway}, {group: \"\", kind: Service, name: none}"));
    EXPECT_THAT(conditions(), IsEmpty());
    EXPECT_FALSE(write());
}

TEST_F(RouteStatus, APortThatTheServiceDoesNotHaveIsNoMatchingParent) {
    put(route(kBackends, "{group: \"\", kind: Service, name: web, port: 81}"));
    EXPECT_THAT(conditions(), ElementsAre("Accepted=False NoMatchingParent", testing::_));
}

TEST_F(RouteStatus, ARouteForTheClientsOfOneNamespaceIsUnsupported) {
    add_service("other", "web");
    put(route(kBackends, "{group: \"\", kind: Service, namespace: other, name: web}"));
    EXPECT_THAT(conditions(), ElementsAre("Accepted=False UnsupportedValue", testing::_));
}

TEST_F(RouteStatus, TheOlderOfTwoRoutesHasTheTraffic) {
    TrafficRoute older;
    older.name = {Symbol("shop"), Symbol("older")};
    older.api = TrafficRoute::Api::kTcp;
    older.created = -1;
    older.parents = {{{Symbol("shop"), Symbol("web")}, 0}};
    services_.apply({.upserts = {older}, .erasures = {}});
    put(route(kBackends));
    EXPECT_THAT(conditions(), ElementsAre("Accepted=False OlderRouteApplies", testing::_));
}

TEST_F(RouteStatus, TheFirstWriteMakesTheStatus) {
    put(route(kBackends));
    const auto first = write();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->request.target,
              "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/web/"
              "status?fieldManager=weir");
    EXPECT_EQ(first->request.content_type, "application/json-patch+json");
    const auto patch = nlohmann::json::parse(first->request.body);
    ASSERT_THAT(patch, SizeIs(2));
    EXPECT_EQ(patch[0], nlohmann::json::parse(
                            R"({"op":"replace","path":"/metadata/resourceVersion","value":"7"})"));
    EXPECT_EQ(patch[1]["op"], "add");
    EXPECT_EQ(patch[1]["path"], "/status");
    const auto& entry = patch[1]["value"]["parents"].at(0);
    EXPECT_EQ(entry["controllerName"], "weir.io/gamma");
    EXPECT_EQ(entry["parentRef"],
              nlohmann::json({{"group", ""}, {"kind", "Service"}, {"name", "web"}, {"port", 80}}));
    EXPECT_EQ(entry["conditions"][0]["lastTransitionTime"], "2027-01-15T08:00:00Z");
    put(route(kBackends, kParent, "status: " + patch[1]["value"].dump()));
    EXPECT_FALSE(write()) << "it is there";
}

TEST_F(RouteStatus, EntriesOfOthersStay) {
    const std::string theirs = "{controllerName: example.com/mesh, parentRef: {name: web}}";
    put(route(kBackends, kParent, "status: {parents: [" + theirs + "]}"));
    ASSERT_TRUE(write());
    auto patch = nlohmann::json::parse(write()->request.body);
    ASSERT_THAT(patch, SizeIs(2));
    EXPECT_EQ(patch[1]["path"], "/status/parents/-");
    const std::string ours =
        "{controllerName: weir.io/gamma, parentRef: " + kParent + ", conditions: []}";
    const std::string stale =
        "{controllerName: weir.io/gamma, parentRef: {name: gone}, conditions: []}";
    put(route(kBackends, kParent,
              "status: {parents: [" + stale + ", " + theirs + ", " + ours + ", " + ours + "]}"));
    patch = nlohmann::json::parse(write()->request.body);
    std::vector<std::string> changes;
    for (std::size_t i = 1; i < patch.size(); ++i) {
        changes.push_back(patch[i]["op"].get<std::string>() + " " +
                          patch[i]["path"].get<std::string>());
    }
    EXPECT_THAT(changes, ElementsAre("replace /status/parents/2", "remove /status/parents/3",
                                     "remove /status/parents/0"));
}

} // namespace
} // namespace weir
