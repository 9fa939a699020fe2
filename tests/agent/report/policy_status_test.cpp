// SPDX-License-Identifier: Apache-2.0
#include "agent/report/policy_status.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/agent/report/report_support.h"

namespace weir {
namespace {

using test::kReportedAt;
using test::ReportedSet;
using testing::HasSubstr;

const std::string kDomains =
    "spec: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Accept, to: "
    "[{domainNames: [example.com]}]}]}";
const std::string kGood = "spec: {tier: Admin, priority: 1, subject: {namespaces: {}}}";

std::string policy(const std::string& spec, const std::string& status = "") {
    return "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: "
           "{name: web, uid: " +
           test::kUid + ", generation: 3, resourceVersion: \"7\"}\n" + spec + "\n" + status;
}

std::optional<StatusWrite> write_of(const std::string& yaml) {
    ReportedSet set(Kind::kClusterNetworkPolicy);
    set.put(yaml);
    std::optional<StatusWrite> write;
    set.visit(
        [&](const ReportedObject& object) { write = policy_status_write(object, kReportedAt); });
    return write;
}

// The status that the API has when the write went through.
std::string status_after(const StatusWrite& write) {
    return "status: " + nlohmann::json::parse(write.request.body)["status"].dump();
}

TEST(PolicyStatus, SaysWhatIsNotEnforced) {
    const auto write = write_of(policy(kDomains));
    ASSERT_TRUE(write);
    EXPECT_EQ(write->request.method, "PATCH");
    EXPECT_EQ(write->request.target,
              "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies/web/"
              "status?fieldManager=weir&force=true");
    EXPECT_EQ(write->request.content_type, "application/apply-patch+yaml");
    const auto body = nlohmann::json::parse(write->request.body);
    EXPECT_EQ(body["metadata"], nlohmann::json({{"name", "web"}, {"resourceVersion", "7"}}));
    const auto& condition = body["status"]["conditions"].at(0);
    EXPECT_EQ(condition["type"], "weir.io/Enforced");
    EXPECT_EQ(condition["status"], "False");
    EXPECT_EQ(condition["reason"], "PartlyEnforced");
    EXPECT_EQ(condition["observedGeneration"], 3);
    EXPECT_EQ(condition["lastTransitionTime"], "2027-01-15T08:00:00Z");
    EXPECT_THAT(condition["message"], HasSubstr("spec.egress[0].to[0].domainNames: "));
}

// Nodes that read a valid version and nodes that did not must not write against each other.
TEST(PolicyStatus, IsTheSameWhateverTheNodeReadBefore) {
    const std::string bad = "spec: {tier: Admin, priority: nonsense}";
    ReportedSet set(Kind::kClusterNetworkPolicy);
    set.put(policy(kGood));
    set.put(policy(bad));
    std::optional<StatusWrite> kept;
    set.visit(
        [&](const ReportedObject& object) { kept = policy_status_write(object, kReportedAt); });
    const auto fresh = write_of(policy(bad));
    ASSERT_TRUE(kept);
    ASSERT_TRUE(fresh);
    EXPECT_EQ(kept->request.body, fresh->request.body);
}

TEST(PolicyStatus, WritesNothingThatIsThereAlready) {
    const auto write = write_of(policy(kDomains));
    ASSERT_TRUE(write);
    EXPECT_FALSE(write_of(policy(kDomains, status_after(*write))));
}

TEST(PolicyStatus, AnotherNewsKeepsTheTimeOfTheTransition) {
    const auto write = write_of(policy(
        kDomains,
        "status: {conditions: [{type: weir.io/Enforced, status: \"False\", reason: Invalid, "
        "message: x, observedGeneration: 2, lastTransitionTime: \"2026-01-01T00:00:00Z\"}]}"));
    ASSERT_TRUE(write);
    const auto body = nlohmann::json::parse(write->request.body);
    EXPECT_EQ(body["status"]["conditions"][0]["lastTransitionTime"], "2026-01-01T00:00:00Z");
}

TEST(PolicyStatus, AMendedPolicyLosesTheCondition) {
    const auto first = write_of(policy(kDomains));
    ASSERT_TRUE(first);
    const auto write = write_of(policy(kGood, status_after(*first)));
    ASSERT_TRUE(write);
    EXPECT_EQ(nlohmann::json::parse(write->request.body)["status"],
              nlohmann::json::parse(R"({"conditions":[]})"));
}

TEST(PolicyStatus, WithNothingToSayNothingIsWritten) {
    EXPECT_FALSE(write_of(policy(kGood)));
    EXPECT_FALSE(write_of(
        policy(kGood, "status: {conditions: [{type: Ready, status: \"False\", reason: X}]}")));
}

TEST(PolicyStatus, AnInvalidPolicyIsCalledSo) {
    const auto write =
        write_of(policy("spec: {tier: Gold, priority: 1, subject: {namespaces: {}}}"));
    ASSERT_TRUE(write);
    EXPECT_THAT(write->content, HasSubstr("weir.io/Enforced=False Invalid (3): spec.tier: "));
}

} // namespace
} // namespace weir
