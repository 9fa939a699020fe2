// SPDX-License-Identifier: Apache-2.0
// What is told of which object, and by which node.
#include "agent/report/findings.h"

#include <gmock/gmock.h>

#include "tests/agent/report/report_support.h"

namespace weir {
namespace {

using test::kUid;
using test::object_yaml;
using test::ReportedSet;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::vector<std::string> kTenNodes = {"n0", "n1", "n2", "n3", "n4",
                                            "n5", "n6", "n7", "n8", "n9"};

std::string authorization(const std::string& spec) {
    return object_yaml("security.istio.io/v1", "AuthorizationPolicy", "spec: " + spec);
}
const std::string kLayer7 = authorization("{rules: [{to: [{operation: {methods: [GET]}}]}]}");

std::vector<Finding> findings_of(const ReportedSet& set, const Turns& turns = Turns("n1", {})) {
    std::vector<Finding> findings;
    set.visit([&](const ReportedObject& object) { add_findings(findings, object, turns); });
    return findings;
}

TEST(Findings, ARuleThatNeedsLayer7IsToldOfItsPolicy) {
    ReportedSet set(Kind::kAuthorizationPolicy);
    set.put(kLayer7);
    const auto findings = findings_of(set);
    ASSERT_THAT(findings, SizeIs(1));
    EXPECT_EQ(to_string(findings[0].object), "AuthorizationPolicy shop/web");
    EXPECT_EQ(findings[0].uid, kUid);
    EXPECT_EQ(findings[0].reason, "NotEnforced");
    EXPECT_EQ(findings[0].action, "Enforce");
    EXPECT_THAT(findings[0].note, testing::StartsWith("spec.rules[0]"));
}

TEST(Findings, APolicyThatIsNotEnforcedAtAllIsToldToo) {
    ReportedSet set(Kind::kAuthorizationPolicy);
    set.put(authorization("{action: CUSTOM, provider: {name: x}, rules: [{}]}"));
    const auto findings = findings_of(set);
    ASSERT_THAT(findings, SizeIs(1));
    EXPECT_THAT(findings[0].note, HasSubstr("the whole policy is not in force"));
}

TEST(Findings, AMendedOneIsNotToldAnyMore) {
    ReportedSet set(Kind::kAuthorizationPolicy);
    set.put(kLayer7);
    set.put(authorization("{rules: [{}]}"));
    EXPECT_THAT(findings_of(set), IsEmpty());
}

TEST(Findings, AnInvalidVersionSaysWhatIsInForce) {
    const auto policy = [](const std::string& spec) {
        return object_yaml("networking.k8s.io/v1", "NetworkPolicy", "spec: " + spec);
    };
    ReportedSet set(Kind::kNetworkPolicy);
    set.put(policy("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: nonsense}}]}]}"));
    ASSERT_THAT(findings_of(set), SizeIs(1));
    EXPECT_EQ(findings_of(set)[0].reason, "Invalid");
    EXPECT_THAT(findings_of(set)[0].note, HasSubstr("nothing of it is in force"));
    set.put(policy("{podSelector: {}}"));
    EXPECT_THAT(findings_of(set), IsEmpty());
    set.put(policy("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: nonsense}}]}]}"));
    ASSERT_THAT(findings_of(set), SizeIs(1));
    EXPECT_THAT(findings_of(set)[0].note, HasSubstr("the last valid version stays in force"));
}

TEST(Findings, AFieldOfANewerApiIsToldOfPoliciesAlone) {
    ReportedSet policies(Kind::kNetworkPolicy);
    policies.put(
        object_yaml("networking.k8s.io/v1", "NetworkPolicy", "spec: {podSelector: {}, later: 1}"));
    EXPECT_THAT(findings_of(policies), SizeIs(1));
    ReportedSet services(Kind::kService);
    services.put(object_yaml("v1", "Service", "spec: {clusterIP: None, later: 1}"));
    EXPECT_THAT(findings_of(services), IsEmpty());
}

TEST(Findings, FiveNodesOfTenTellOneAfterAnother) {
    ReportedSet set(Kind::kAuthorizationPolicy);
    set.put(kLayer7);
    std::size_t tellers = 0;
    std::size_t prompt = 0;
    for (const auto& node : kTenNodes) {
        const auto findings = findings_of(set, Turns(node, kTenNodes));
        tellers += findings.size();
        for (const auto& finding : findings)
            prompt += finding.delay < std::chrono::seconds(2) ? 1 : 0;
    }
    EXPECT_EQ(tellers, kMostTellers);
    EXPECT_EQ(prompt, 1U) << "the others only when it does not";
}

TEST(Findings, WhatOneNodeSeesIsForItToTell) {
    const ServiceProblem no_room{.cause = ServiceProblem::Cause::kNoRoom,
                                 .service = {Symbol("shop"), Symbol("web")},
                                 .object = "Service shop/web",
                                 .note = "is not balanced",
                                 .text = ""};
    for (const auto& node : kTenNodes) {
        const auto finding = service_finding(no_room, kUid, Turns(node, kTenNodes));
        ASSERT_TRUE(finding);
        EXPECT_EQ(finding->reason, "DoesNotFit");
        const DoesNotFit misfit{.map = "weir_rules", .needed = 9, .limit = 8, .policy = "x"};
        const ObjectKey policy{Kind::kNetworkPolicy, {Symbol("shop"), Symbol("web")}};
        EXPECT_THAT(misfit_finding(misfit, policy, kUid, Turns(node, kTenNodes)).note,
                    HasSubstr("does not fit weir_rules, which has 8 entries"));
    }
}

TEST(Findings, AnAddressThatAnotherServiceHasIsToldOfTheLoser) {
    ServiceProblem taken{.cause = ServiceProblem::Cause::kTaken,
                         .service = {Symbol("shop"), Symbol("web")},
                         .object = "Service shop/web",
                         .note = "198.51.100.1:80/TCP is Service a/b's",
                         .text = ""};
    const auto finding = service_finding(taken, kUid, Turns("n1", {}));
    ASSERT_TRUE(finding);
    EXPECT_EQ(finding->reason, "AddressTaken");
    EXPECT_EQ(finding->note, taken.note);
    EXPECT_FALSE(service_finding(taken, "", Turns("n1", {}))) << "it is gone";
    taken.cause = ServiceProblem::Cause::kRoute;
    EXPECT_FALSE(service_finding(taken, kUid, Turns("n1", {}))) << "that is told of the route";
}

} // namespace
} // namespace weir
