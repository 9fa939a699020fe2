// SPDX-License-Identifier: Apache-2.0
#include "agent/report/event.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/agent/report/report_support.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using test::finding;
using testing::EndsWith;
using testing::StartsWith;

const std::chrono::system_clock::time_point kNow{1800000000s + 42us};

TEST(Event, IsOneForAllNodesByObjectReasonAndNote) {
    const std::string name = event_name(finding("a"));
    EXPECT_THAT(name, StartsWith("web."));
    EXPECT_EQ(name, event_name(finding("a")));
    EXPECT_NE(name, event_name(finding("b")));
    EXPECT_NE(name, event_name(finding("a", "another uid")));
    Finding other = finding("a");
    other.reason = "Invalid";
    EXPECT_NE(name, event_name(other));
}

TEST(Event, HasANameThatTheApiTakesWhateverTheObjectsIs) {
    Finding long_name = finding("a");
    long_name.object.name.name = Symbol(std::string(199, 'x') + "." + std::string(50, 'y'));
    EXPECT_EQ(event_name(long_name).size(), 199U + 1 + 16);
}

TEST(Event, IsInTheNamespaceOfItsObject) {
    const ApiRequest request = create_event(finding("spec.x: a"), "n1", kNow);
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.target, "/apis/events.k8s.io/v1/namespaces/shop/events");
    const auto event = nlohmann::json::parse(request.body);
    EXPECT_EQ(event["eventTime"], "2027-01-15T08:00:00.000042Z");
    EXPECT_EQ(event["reportingController"], "weir.io/agent");
    EXPECT_EQ(event["reportingInstance"], "n1");
    EXPECT_EQ(event["note"], "spec.x: a");
    EXPECT_EQ(event["regarding"], nlohmann::json({{"apiVersion", "networking.k8s.io/v1"},
                                                  {"kind", "NetworkPolicy"},
                                                  {"namespace", "shop"},
                                                  {"name", "web"},
                                                  {"uid", test::kUid}}));
}

TEST(Event, OfAClusterWideObjectIsInTheDefaultNamespace) {
    Finding cluster = finding("a");
    cluster.object = {Kind::kClusterNetworkPolicy, {Symbol(""), Symbol("p")}};
    const ApiRequest request = create_event(cluster, "n1", kNow);
    EXPECT_EQ(request.target, "/apis/events.k8s.io/v1/namespaces/default/events");
    EXPECT_FALSE(nlohmann::json::parse(request.body)["regarding"].contains("namespace"));
}

TEST(Event, ItsNoteIsCutBetweenCharacters) {
    const auto event = nlohmann::json::parse(
        create_event(finding(std::string(1020, 'x') + "äöü"), "n", kNow).body);
    const auto note = event["note"].get<std::string>();
    EXPECT_LE(note.size(), 1024U);
    EXPECT_THAT(note, EndsWith("x..."));
}

TEST(Event, ASeriesIsPatched) {
    const ApiRequest request = repeat_event(finding("a"), 7, kNow);
    EXPECT_EQ(request.method, "PATCH");
    EXPECT_EQ(request.content_type, "application/merge-patch+json");
    EXPECT_EQ(nlohmann::json::parse(request.body),
              nlohmann::json::parse(
                  R"({"series":{"count":7,"lastObservedTime":"2027-01-15T08:00:00.000042Z"}})"));
}

TEST(Event, TellsWhoCreatedItAndHowOftenItWasSeen) {
    const auto record = parse_event(R"({"reportingInstance":"n2","series":{"count":5}})");
    EXPECT_EQ(record.reporting_instance, "n2");
    EXPECT_EQ(record.count, 5U);
    EXPECT_EQ(parse_event(R"({"reportingInstance":"n2"})").count, 1U);
    for (const char* text : {"", "[]", "{", R"({"reportingInstance":3,"series":{"count":"x"}})"}) {
        EXPECT_EQ(parse_event(text).reporting_instance, "") << text;
        EXPECT_EQ(parse_event(text).count, 1U) << text;
    }
}

} // namespace
} // namespace weir
