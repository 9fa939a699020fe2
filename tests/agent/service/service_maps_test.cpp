// SPDX-License-Identifier: Apache-2.0
// Ids, ranges and what a change touches.
#include <gmock/gmock.h>

#include <chrono>
#include <iostream>

#include "agent/kube/decode.h"
#include "tests/agent/service/service_lab.h"

namespace weir::test {
namespace {

std::string numbered(int number, int endpoints) {
    const std::string name = "s" + std::to_string(number);
    const std::string net = std::to_string(number / 250) + "." + std::to_string(number % 250 + 1);
    std::vector<std::string> all;
    for (int i = 1; i <= endpoints; ++i)
        all.push_back(ready("10." + std::to_string(100 + i) + "." + net));
    return service(name, "clusterIP: 10.96." + net + "\nports: [{port: 80}]") + slice(name, all);
}

const std::string kWebAndPort = service("web", "clusterIP: 10.96.0.1\nports: [{port: 80}]");

TEST(ServiceMaps, OneSliceTouchesItsServiceAlone) {
    ServiceLab lab;
    for (int i = 0; i < 20; ++i)
        lab.apply(numbered(i, 3));
    lab.apply(numbered(7, 2));
    EXPECT_EQ(lab.last().services.size(), 1U);
    EXPECT_EQ(lab.last().slots.size(), 1U);
    EXPECT_TRUE(lab.last().new_backends.empty());
    ASSERT_EQ(lab.last().backends.size(), 1U);
    EXPECT_EQ(lab.last().backends[0].state, WEIR_BACKEND_REMOVED);
}

TEST(ServiceMaps, TheSameAgainWritesNothing) {
    ServiceLab lab;
    lab.apply(numbered(1, 3));
    lab.apply(numbered(1, 3));
    EXPECT_TRUE(lab.last().is_empty());
}

TEST(ServiceMaps, AChangeOfStateAloneLeavesTheOthersIds) {
    ServiceLab lab;
    lab.apply(kWebAndPort + slice("web", {ready("10.1.0.1"), ready("10.1.0.2")}));
    const auto id = lab.backend_id("10.1.0.2:8080");
    lab.apply(slice("web", {not_ready("10.1.0.1"), ready("10.1.0.2")}));
    EXPECT_EQ(lab.backend("10.1.0.1:8080").state, WEIR_BACKEND_DRAINING);
    EXPECT_EQ(lab.backend_id("10.1.0.2:8080"), id);
}

TEST(ServiceMaps, RemovedBackendsKeepTheirIdUntilReleased) {
    ServiceLab lab;
    lab.apply(kWebAndPort + slice("web", {ready("10.1.0.1"), ready("10.1.0.2")}));
    const auto id = lab.backend_id("10.1.0.1:8080");
    const auto generation = lab.backend("10.1.0.1:8080").generation;
    lab.apply(slice("web", {ready("10.1.0.2")}));
    EXPECT_EQ(lab.backend("10.1.0.1:8080").state, WEIR_BACKEND_REMOVED);
    lab.apply(slice("web", {ready("10.1.0.2"), ready("10.1.0.3")}));
    EXPECT_NE(lab.backend_id("10.1.0.3:8080"), id) << "connections may still count on it";
    lab.reclaim();
    EXPECT_EQ(lab.backend_id("10.1.0.1:8080"), 0U);
    lab.apply(slice("web", {ready("10.1.0.2"), ready("10.1.0.3"), ready("10.1.0.4")}));
    EXPECT_EQ(lab.backend_id("10.1.0.4:8080"), id);
    EXPECT_GT(lab.backend("10.1.0.4:8080").generation, generation);
}

TEST(ServiceMaps, ABackendThatComesBackIsTheSame) {
    ServiceLab lab;
    lab.apply(kWebAndPort + slice("web", {ready("10.1.0.1"), ready("10.1.0.2")}));
    const auto before = lab.backend("10.1.0.1:8080");
    lab.apply(slice("web", {ready("10.1.0.2")}));
    lab.apply(slice("web", {ready("10.1.0.1"), ready("10.1.0.2")}));
    const auto after = lab.backend("10.1.0.1:8080");
    EXPECT_EQ(after.state, WEIR_BACKEND_ACTIVE);
    EXPECT_EQ(after.generation, before.generation);
    lab.reclaim();
    EXPECT_EQ(lab.backend("10.1.0.1:8080").state, WEIR_BACKEND_ACTIVE);
}

TEST(ServiceMaps, SlotsAreUsedAgainAfterAGracePeriod) {
    ServiceLab lab;
    lab.apply(numbered(1, 3));
    const auto used = lab.compiler().usage().slots;
    for (int i = 0; i < 20; ++i) {
        lab.apply(numbered(1, 2 + i % 2));
        lab.reclaim();
    }
    EXPECT_LE(lab.compiler().usage().slots, 2 * used);
    lab.remove(Kind::kService, "s1");
    lab.remove(Kind::kEndpointSlice, "s1-v4");
    lab.reclaim();
    EXPECT_EQ(lab.compiler().usage().slots, 0U);
    EXPECT_EQ(lab.compiler().usage().backends, 0U);
    EXPECT_EQ(lab.compiler().usage().services, 0U);
}

TEST(ServiceMaps, ARestartWritesNothing) {
    ServiceLab lab;
    lab.apply(numbered(1, 3) + numbered(2, 2) +
              service("np",
                      "clusterIP: 10.96.9.9\ntype: NodePort\nsessionAffinity: ClientIP\nports: "
                      "[{port: 80, nodePort: 30080}]") +
              slice("np", {ready("10.1.0.1"), ready("10.1.0.2", "n2")}));
    const auto id = lab.find("10.96.9.9:80")->id;
    lab.restart();
    EXPECT_TRUE(lab.last().is_empty());
    EXPECT_EQ(lab.find("10.96.9.9:80")->id, id);
}

TEST(ServiceMaps, ARestartTakesAwayWhatIsGone) {
    ServiceLab lab;
    lab.apply(numbered(1, 3) + numbered(2, 2));
    const auto id = lab.find("10.96.0.3:80")->id;
    ServiceLab other;
    other.apply(numbered(1, 3));
    lab.remove(Kind::kService, "s1");
    lab.restart();
    EXPECT_EQ(lab.inside("10.96.0.2:80"), "untouched");
    EXPECT_EQ(lab.find("10.96.0.3:80")->id, id);
    EXPECT_NE(lab.inside("10.96.0.3:80"), "untouched");
    lab.reclaim();
    EXPECT_EQ(lab.compiler().usage().backends, 2U);
}

TEST(ServiceMaps, ServicesThatDoNotFitAreLeftOutAndComeWithRoom) {
    ServiceLab lab({.services = 64, .slots = 64, .backends = 6, .sources = 8});
    lab.apply(numbered(1, 3));
    lab.apply(numbered(2, 3));
    EXPECT_NE(lab.inside("10.96.0.2:80"), "untouched");
    EXPECT_EQ(lab.inside("10.96.0.3:80"), "untouched") << "it passes, as without Weir";
    ASSERT_EQ(lab.compiler().misfits().size(), 1U);
    EXPECT_EQ(lab.compiler().misfits()[0].map, "weir_backends");
    lab.remove(Kind::kService, "s1");
    lab.reclaim();
    lab.reclaim();
    EXPECT_EQ(lab.inside("10.96.0.3:80"), "10.101.0.3:8080 10.102.0.3:8080 10.103.0.3:8080");
    EXPECT_TRUE(lab.compiler().misfits().empty());
}

TEST(ServiceMaps, MaglevTablesAreTheSameOnAllNodes) {
    const std::string world =
        service("web", "clusterIP: 10.96.0.1\nexternalIPs: [203.0.113.1]\nports: [{port: 80}]") +
        slice("web", {"{addresses: [10.1.0.1], nodeName: n1, hints: {forNodes: [{name: n1}]}}",
                      "{addresses: [10.1.0.2], nodeName: n2, hints: {forNodes: [{name: n2}]}}"});
    ServiceLab here;
    ServiceLab there({}, "n2");
    here.apply(numbered(1, 2) + world); // other ids
    there.apply(world);
    EXPECT_EQ(here.inside("203.0.113.1:80"), "10.1.0.1:8080") << "hints count in the slots";
    EXPECT_EQ(here.maglev("203.0.113.1:80"), "10.1.0.1:8080 10.1.0.2:8080");
    EXPECT_EQ(here.maglev_table("203.0.113.1:80"), there.maglev_table("203.0.113.1:80"));
    EXPECT_TRUE(here.maglev_table("10.96.0.1:80", WEIR_SCOPE_INTERNAL).empty())
        << "only for services that are reached from outside";
}

// Speed is the bench's to limit; here it is only printed.
TEST(ServiceMaps, TenThousandServicesAndOneChange) {
    std::string all;
    for (int i = 0; i < 10'000; ++i)
        all += numbered(i, 3);
    Change change;
    for (auto& decoded : decode_file("f.yaml", all).objects)
        change.upserts.emplace_back(std::move(*decoded.object));
    ServiceCompiler compiler(Symbol("n1"), {});
    const auto start = std::chrono::steady_clock::now();
    compiler.apply(change);
    const auto transaction = compiler.compile();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    EXPECT_EQ(transaction.services.size(), 20'000U) << "with the wildcards";
    EXPECT_EQ(transaction.new_backends.size(), 30'000U);
    std::cout << "10,000 services compiled in " << took.count() * 1000 << " ms\n";
    const auto again = std::chrono::steady_clock::now();
    compiler.apply({{decode_file("f.yaml", numbered(77, 2)).objects[1].object.value()}, {}});
    EXPECT_EQ(compiler.compile().services.size(), 1U);
    const std::chrono::duration<double> one = std::chrono::steady_clock::now() - again;
    std::cout << "one slice of them in " << one.count() * 1000 << " ms\n";
}

} // namespace
} // namespace weir::test
