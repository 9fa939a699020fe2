// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/check.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/agent/kube/manifest_support.h"

namespace weir {
namespace {

using testing::HasSubstr;

CheckReport check(const std::string& path) {
    return check_paths(std::vector{path});
}

TEST(Check, CleanFolders) {
    const TemporaryFolder folder;
    folder.write("a.yaml", policy_yaml("x", "p"));
    folder.write("deep/er/b.yml", policy_yaml("x", "q"));
    folder.write("c.json", R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"x"}})");
    folder.write("notes.txt", "a: [");
    folder.write(".hidden.yaml", "a: [");
    folder.write(".git/x.yaml", "a: [");
    folder.write("b.yaml~", "a: [");
    const CheckReport report = check(folder.path() + "/");
    EXPECT_EQ(report.exit_status(true), 0);
    EXPECT_EQ(report.files, 3U);
    EXPECT_EQ(report.objects, 3U);
    EXPECT_EQ(to_text(report, false), "3 files, 3 valid objects, 0 errors, 0 warnings\n");
}

TEST(Check, ErrorsNameFileLineFieldAndRemedy) {
    const TemporaryFolder folder;
    const std::string path = folder.write("a.txt", bad_policy_yaml("x", "p"));
    const CheckReport report = check(path);
    EXPECT_EQ(report.exit_status(false), 1);
    EXPECT_THAT(to_text(report, false),
                HasSubstr(path + ":8:24: error: NetworkPolicy x/p: "
                                 "spec.ingress[1].ports[0].protocol: unknown protocol 'ICMP'; use "
                                 "TCP, UDP or SCTP\n"));
    const nlohmann::json json = to_json(report, false);
    EXPECT_EQ(json.at("errors"), 1);
    EXPECT_EQ(json.at("problems").at(0).at("line"), 8);
}

TEST(Check, WarningsCountOnlyWhenStrict) {
    const TemporaryFolder folder;
    const CheckReport report = check(folder.write("a.yaml", policy_yaml("x", "p") + "  typo: 1\n"));
    EXPECT_EQ(report.exit_status(false), 0);
    EXPECT_EQ(report.exit_status(true), 1);
    EXPECT_THAT(to_text(report, false),
                HasSubstr("warning: NetworkPolicy x/p: spec.typo: unknown"));
    EXPECT_THAT(to_text(report, true), HasSubstr("error: NetworkPolicy x/p: spec.typo: unknown"));
}

TEST(Check, AServiceOfAnotherNamespaceNeedsAReferenceGrant) {
    const TemporaryFolder folder;
    folder.write("route.yaml",
                 "apiVersion: gateway.networking.k8s.io/v1\nkind: TCPRoute\nmetadata: {namespace: "
                 "front, name: r}\nspec:\n  parentRefs: [{group: '', kind: Service, name: web}]\n"
                 "  rules:\n  - backendRefs: [{name: a, port: 80}, {name: b, namespace: back, "
                 "port: 80}]\n");
    const CheckReport report = check(folder.path());
    EXPECT_EQ(report.exit_status(false), 0);
    EXPECT_EQ(report.exit_status(true), 1);
    EXPECT_THAT(
        to_text(report, false),
        HasSubstr(
            "route.yaml:1: warning: TCPRoute front/r: spec.rules[0].backendRefs[1].namespace: "
            "no ReferenceGrant among these files permits it to name Service back/b: without "
            "one in the cluster, its share of the connections is refused; create a "
            "ReferenceGrant in namespace back from TCPRoutes of namespace front to "
            "Services\n"));
    folder.write("grant.yaml",
                 "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: "
                 "{namespace: back, name: g}\nspec:\n  from: [{group: gateway.networking.k8s.io, "
                 "kind: TCPRoute, namespace: front}]\n  to: [{group: '', kind: Service}]\n");
    EXPECT_EQ(check(folder.path()).exit_status(true), 0) << to_text(check(folder.path()), true);
}

TEST(Check, UnreadableInputIsTwo) {
    const TemporaryFolder folder;
    const CheckReport report = check(folder.path("missing"));
    EXPECT_EQ(report.exit_status(false), 2);
    EXPECT_THAT(to_text(report, false), HasSubstr("missing: No such file"));
}

TEST(LoadDirectory, GivesValidObjectsAndProblems) {
    const TemporaryFolder folder;
    folder.write("a.yaml", policy_yaml("x", "p") + "---\n" + bad_policy_yaml("x", "bad"));
    const Result<LoadedManifests> loaded = load_directory(folder.path());
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->change.upserts.size(), 1U);
    EXPECT_EQ(loaded->problems.size(), 1U);
    EXPECT_FALSE(load_directory(folder.path("missing")));
    EXPECT_FALSE(load_directory(folder.path("a.yaml")));
}

} // namespace
} // namespace weir
