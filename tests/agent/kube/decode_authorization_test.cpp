// SPDX-License-Identifier: Apache-2.0
// AuthorizationPolicy: what layer 4 judges, what is left out of it, and what is not enforced.
#include "agent/kube/check.h"
#include "agent/kube/manifest_set.h"
#include "tests/agent/kube/decode_support.h"
#include "tests/agent/kube/manifest_support.h"

namespace weir {
namespace {

using Attribute = SourceMatch::Attribute;
using TextKind = TextMatch::Kind;
using testing::HasSubstr;

constexpr const char* kObject = "AuthorizationPolicy x/p";

// Line 4 is "spec:", the text begins in line 5.
std::string manifest(std::string_view spec, std::string_view annotations = "{}") {
    return "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
           "metadata: {name: p, namespace: x, annotations: " +
           std::string(annotations) + "}\nspec:\n  " + indented(spec, "  ") + "\n";
}

DecodedFile decode(std::string_view spec) {
    return decode_file("f.yaml", manifest(spec));
}

AuthorizationPolicy valid(const DecodedFile& file) {
    for (const Problem& problem : file.problems) {
        EXPECT_NE(problem.severity, Severity::kError) << to_string(problem);
    }
    if (file.objects.empty() || !file.objects[0].object) {
        ADD_FAILURE() << "no object";
        return {};
    }
    return std::get<AuthorizationPolicy>(*file.objects[0].object);
}

AuthorizationRule rule(std::string_view text) {
    const DecodedFile file = decode("rules:\n- " + indented(text, "  "));
    EXPECT_TRUE(file.problems.empty()) << text << to_text(file.problems);
    const AuthorizationPolicy policy = valid(file);
    return policy.rules.empty() ? AuthorizationRule{} : policy.rules[0];
}

SourceMatch texts(Attribute attribute, bool is_negated, std::vector<TextMatch> values) {
    return {attribute, is_negated, std::move(values), {}};
}
SourceMatch blocks(bool is_negated, const std::vector<const char*>& values) {
    SourceMatch match{Attribute::kAddress, is_negated, {}, {}};
    for (const char* value : values)
        match.blocks.push_back(*Cidr::parse(value));
    return match;
}
TextMatch exact(const char* text) {
    return {TextKind::kExact, Symbol(text)};
}

TEST(DecodeAuthorization, Whole) {
    const DecodedFile file = decode(R"(action: DENY
selector: {matchLabels: {app: web}}
rules:
- from:
  - source:
      principals: [cluster.local/ns/a/sa/b, spiffe://cluster.local/*, '*/sa/b', '*']
      notNamespaces: [prod, 'dev-*']
      ipBlocks: [10.0.0.1, 10.1.0.0/16, 'fd00::1']
      notIpBlocks: ['fd00::/8']
  - source: {serviceAccounts: [c, d/e], notServiceAccounts: [f/g]}
  to:
  - operation: {ports: ['80', '443']}
  - operation: {notPorts: ['22']}
  when:
  - {key: source.ip, values: [10.0.0.0/8], notValues: [10.0.0.9]}
  - {key: source.namespace, values: [a]}
  - {key: source.principal, notValues: ['*']}
  - {key: source.serviceAccount, values: [b]}
  - {key: destination.ip, values: [10.2.0.0/16]}
  - {key: destination.port, notValues: ['81']}
- {})");
    EXPECT_TRUE(file.problems.empty()) << to_text(file.problems);
    const AuthorizationPolicy policy = valid(file);
    EXPECT_EQ(to_string(file.objects[0].key), "AuthorizationPolicy x/p");
    EXPECT_TRUE(policy.is_deny);
    EXPECT_EQ(policy.subjects.requirements.at(0).values.at(0).get(), "web");
    ASSERT_EQ(policy.rules.size(), 2U);
    const AuthorizationRule& first = policy.rules[0];
    EXPECT_EQ(first.line, 8U);
    const std::vector<SourceMatch> one = {
        texts(Attribute::kPrincipal, false,
              {exact("cluster.local/ns/a/sa/b"),
               {TextKind::kPrefix, Symbol("cluster.local/")},
               {TextKind::kSuffix, Symbol("/sa/b")},
               {TextKind::kPresent, Symbol("")}}),
        texts(Attribute::kNamespace, true, {exact("prod"), {TextKind::kPrefix, Symbol("dev-")}}),
        blocks(false, {"10.0.0.1/32", "10.1.0.0/16", "fd00::1/128"}), blocks(true, {"fd00::/8"})};
    const std::vector<SourceMatch> two = {
        texts(Attribute::kServiceAccount, false, {exact("x/c"), exact("d/e")}),
        texts(Attribute::kServiceAccount, true, {exact("f/g")})};
    EXPECT_EQ(first.sources, (std::vector{one, two}));
    const std::vector<std::vector<DestinationMatch>> operations = {{{false, {80, 443}, {}}},
                                                                   {{true, {22}, {}}}};
    EXPECT_EQ(first.operations, operations);
    const std::vector<SourceMatch> conditions = {
        blocks(false, {"10.0.0.0/8"}), blocks(true, {"10.0.0.9/32"}),
        texts(Attribute::kNamespace, false, {exact("a")}),
        texts(Attribute::kPrincipal, true, {{TextKind::kPresent, Symbol("")}}),
        texts(Attribute::kServiceAccount, false, {exact("x/b")})};
    EXPECT_EQ(first.source_conditions, conditions);
    const std::vector<DestinationMatch> destinations = {{false, {}, {*Cidr::parse("10.2.0.0/16")}},
                                                        {true, {81}, {}}};
    EXPECT_EQ(first.destination_conditions, destinations);
    EXPECT_EQ(policy.rules[1].index, 1U);
    EXPECT_TRUE(policy.rules[1].sources.empty() && policy.rules[1].operations.empty());
}

TEST(DecodeAuthorization, Defaults) {
    const DecodedFile file = decode_file(
        "f",
        "{apiVersion: security.istio.io/v1beta1, kind: AuthorizationPolicy, metadata: {name: "
        "a}, spec: {}}");
    EXPECT_TRUE(file.problems.empty());
    const AuthorizationPolicy policy = valid(file);
    EXPECT_EQ(policy.name.ns.get(), "default");
    EXPECT_FALSE(policy.is_deny);
    EXPECT_TRUE(policy.rules.empty() && policy.subjects.requirements.empty());
    EXPECT_EQ(policy.enforcement, Enforcement::kEnforced);
    EXPECT_TRUE(rule("from: [{source: {namespaces: [a], principals: []}}]").sources.size() == 1);
}

TEST(DecodeAuthorization, Refusals) {
    for (const Remark& expected : {
             Remark{"action: allow", "spec.action", "unknown action 'allow'", 5},
             Remark{"action: DENY", "spec.rules", "never denies", 5},
             Remark{"action: DENY\nrules: []", "spec.rules", "never denies", 6},
             Remark{"provider: {name: a}", "spec.provider", "only for the action CUSTOM", 5},
             Remark{"selector: {matchLabels: {a: 'b*'}}", "spec.selector.matchLabels.a", "wildcard",
                    5},
             Remark{"selector: {}\ntargetRefs: [{kind: Gateway, name: a}]", "spec",
                    "exclude each other", 5},
             Remark{"rules: {}", "spec.rules", "must be a list", 5},
             Remark{"rules: [null]", "spec.rules[0]", "is empty", 5},
             Remark{"rules:\n- from: []", "spec.rules[0].from", "is empty", 6},
             Remark{"rules:\n- to: []", "spec.rules[0].to", "is empty", 6},
             Remark{"rules:\n- from: [{}]", "spec.rules[0].from[0].source", "is required", 6},
             Remark{"rules:\n- from: [null]", "spec.rules[0].from[0]", "is empty", 6},
             Remark{"rules:\n- to: [{operation: }]", "spec.rules[0].to[0].operation", "is required",
                    6},
             Remark{"rules:\n- from: [{source: {}}]", "spec.rules[0].from[0].source",
                    "says nothing", 6},
             Remark{"rules:\n- from: [{source: {principals: []}}]", "spec.rules[0].from[0].source",
                    "says nothing", 6},
             Remark{"rules:\n- to: [{operation: {}}]", "spec.rules[0].to[0].operation",
                    "says nothing", 6},
             Remark{"rules:\n- from: [{source: {principals: ['']}}]",
                    "spec.rules[0].from[0].source.principals[0]", "is empty", 6},
             Remark{"rules:\n- from: [{source: {namespaces: [5]}}]",
                    "spec.rules[0].from[0].source.namespaces[0]", "must be a string", 6},
             Remark{"rules:\n- from: [{source: {notIpBlocks: [10.0.0.256]}}]",
                    "spec.rules[0].from[0].source.notIpBlocks[0]", "no IP address or CIDR", 6},
             Remark{"rules:\n- from: [{source: {ipBlocks: [10.0.0.0/33]}}]",
                    "spec.rules[0].from[0].source.ipBlocks[0]", "no CIDR block", 6},
             Remark{"rules:\n- from: [{source: {serviceAccounts: [a], namespaces: [b]}}]",
                    "spec.rules[0].from[0].source", "exclude principals and namespaces", 6},
             Remark{"rules:\n- from: [{source: {notServiceAccounts: [a], principals: [b]}}]",
                    "spec.rules[0].from[0].source", "exclude principals and namespaces", 6},
             Remark{"rules:\n- from: [{source: {serviceAccounts: [a/b/c]}}]",
                    "spec.rules[0].from[0].source.serviceAccounts[0]", "no service account", 6},
             Remark{"rules:\n- from: [{source: {serviceAccounts: [a/]}}]",
                    "spec.rules[0].from[0].source.serviceAccounts[0]", "no service account", 6},
             Remark{"rules:\n- from: [{source: {serviceAccounts: ['a/*']}}]",
                    "spec.rules[0].from[0].source.serviceAccounts[0]", "wildcards", 6},
             Remark{"rules:\n- from: [{source: {serviceAccounts: "
                    "[a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a]}}]",
                    "spec.rules[0].from[0].source.serviceAccounts", "has 17 items", 6},
             Remark{"rules:\n- from: [{source: {requestPrincipals: ['']}}]",
                    "spec.rules[0].from[0].source.requestPrincipals[0]", "is empty", 6},
             Remark{"rules:\n- to: [{operation: {ports: [80]}}]",
                    "spec.rules[0].to[0].operation.ports[0]", "must be a string", 6},
             Remark{"rules:\n- to: [{operation: {ports: ['65536']}}]",
                    "spec.rules[0].to[0].operation.ports[0]", "no port number", 6},
             Remark{"rules:\n- to: [{operation: {ports: ['0']}}]",
                    "spec.rules[0].to[0].operation.ports[0]", "no port number", 6},
             Remark{"rules:\n- to: [{operation: {notPorts: [http]}}]",
                    "spec.rules[0].to[0].operation.notPorts[0]", "no port number", 6},
             Remark{"rules:\n- when: [{values: [a]}]", "spec.rules[0].when[0].key", "is required",
                    6},
             Remark{"rules:\n- when: [{key: source.ip}]", "spec.rules[0].when[0]",
                    "needs values or notValues", 6},
             Remark{"rules:\n- when: [{key: source.port, values: ['1']}]",
                    "spec.rules[0].when[0].key", "unknown attribute 'source.port'", 6},
             Remark{"rules:\n- when: [{key: request.headers, values: ['1']}]",
                    "spec.rules[0].when[0].key", "unknown attribute", 6},
             Remark{"rules:\n- when: [{key: 'destination.labels[a]', values: ['1']}]",
                    "spec.rules[0].when[0].key", "unknown attribute", 6},
             Remark{"rules:\n- when: [{key: destination.port, values: [x]}]",
                    "spec.rules[0].when[0].values[0]", "no port number", 6},
             Remark{"rules:\n- when: [{key: destination.ip, values: [x]}]",
                    "spec.rules[0].when[0].values[0]", "no IP address", 6},
         }) {
        const DecodedFile file = decode(expected.spec);
        ASSERT_EQ(file.objects.size(), 1U) << expected.spec;
        EXPECT_FALSE(file.objects[0].object) << expected.spec;
        EXPECT_TRUE(has_problem(file, Severity::kError, expected, kObject))
            << expected.spec << to_text(file.problems);
    }
}

struct Layer7 {
    const char* rule;
    const char* names;
};

constexpr std::array kLayer7 = {
    Layer7{"to: [{operation: {methods: [GET], notPaths: [/a]}}]",
           "(to[0].operation.methods, to[0].operation.notPaths)"},
    Layer7{"to: [{operation: {ports: ['80']}}, {operation: {hosts: [a]}}]",
           "(to[1].operation.hosts)"},
    Layer7{"from: [{source: {namespaces: [a], requestPrincipals: ['*']}}]",
           "(from[0].source.requestPrincipals)"},
    Layer7{"from: [{source: {notRemoteIpBlocks: [10.0.0.1]}}]",
           "(from[0].source.notRemoteIpBlocks)"},
    Layer7{"when: [{key: remote.ip, values: [10.0.0.1]}]", "(when[0] remote.ip)"},
    Layer7{"when: [{key: 'request.headers[a]', notValues: [b]}]", "(when[0] request.headers[a])"},
    Layer7{"when: [{key: 'request.auth.claims[a]', values: [b]}]",
           "(when[0] request.auth.claims[a])"},
    Layer7{"when: [{key: connection.sni, values: [b]}]", "(when[0] connection.sni)"}};

TEST(DecodeAuthorization, AnAllowRuleOfLayer7DoesNotMatch) {
    for (const Layer7& layer7 : kLayer7) {
        const DecodedFile file = decode(std::string("rules:\n- ") + layer7.rule +
                                        "\n- from: [{source: {namespaces: [a]}}]");
        const AuthorizationPolicy policy = valid(file);
        ASSERT_EQ(policy.rules.size(), 1U) << layer7.rule;
        EXPECT_EQ(policy.rules[0].index, 1U);
        ASSERT_EQ(file.problems.size(), 1U) << to_text(file.problems);
        EXPECT_TRUE(has_problem(file, Severity::kWarning,
                                {"", "spec.rules[0]", "the rule matches nothing", 6}, kObject));
        EXPECT_THAT(file.problems[0].what, HasSubstr(layer7.names));
    }
    const AuthorizationPolicy policy =
        valid(decode("rules: [{to: [{operation: {methods: [GET]}}]}]"));
    EXPECT_TRUE(!policy.is_deny && policy.rules.empty()); // it admits nothing, and says so
}

TEST(DecodeAuthorization, ADenyRuleMatchesWithoutLayer7) {
    for (const Layer7& layer7 : kLayer7) {
        const DecodedFile file = decode(std::string("action: DENY\nrules:\n- ") + layer7.rule);
        ASSERT_EQ(valid(file).rules.size(), 1U) << layer7.rule;
        ASSERT_EQ(file.problems.size(), 1U) << to_text(file.problems);
        EXPECT_TRUE(has_problem(file, Severity::kWarning,
                                {"", "spec.rules[0]", "the rule denies without it", 7}, kObject));
        EXPECT_THAT(file.problems[0].what, HasSubstr(layer7.names));
    }
    const AuthorizationRule mixed = valid(decode(R"(action: DENY
rules:
- from: [{source: {namespaces: [a], requestPrincipals: ['*']}}, {source: {remoteIpBlocks: ['::1']}}]
  to: [{operation: {ports: ['80'], methods: [GET]}}, {operation: {paths: [/a]}}]
  when: [{key: remote.ip, values: [10.0.0.1]}, {key: source.ip, values: [10.0.0.1]}])"))
                                        .rules.at(0);
    const std::vector<std::vector<SourceMatch>> sources = {
        {texts(Attribute::kNamespace, false, {exact("a")})}, {}}; // the second matches any source
    EXPECT_EQ(mixed.sources, sources);
    const std::vector<std::vector<DestinationMatch>> operations = {{{false, {80}, {}}}, {}};
    EXPECT_EQ(mixed.operations, operations);
    EXPECT_EQ(mixed.source_conditions.size(), 1U);
}

TEST(DecodeAuthorization, WhatIsNotEnforcedIsNoObject) {
    for (const Remark& expected : {
             Remark{"action: CUSTOM\nprovider: {name: a}\nrules: [{to: [{operation: {methods: "
                    "[GET]}}]}]",
                    "spec.action", "does not enforce the action CUSTOM", 5},
             Remark{"action: AUDIT\nrules: [{}]", "spec.action",
                    "does not enforce the action AUDIT", 5},
             Remark{"rules: [{}]\ntargetRefs: [{kind: Gateway, name: a}]", "spec.targetRefs",
                    "the whole policy is not in force", 6},
             Remark{"targetRef: {kind: Service, name: a}", "spec.targetRef",
                    "the whole policy is not in force", 5},
         }) {
        const DecodedFile file = decode(expected.spec);
        EXPECT_TRUE(file.objects.empty() && file.unidentified.empty()) << expected.spec;
        ASSERT_EQ(file.problems.size(), 1U) << to_text(file.problems);
        EXPECT_TRUE(has_problem(file, Severity::kWarning, expected, kObject))
            << expected.spec << to_text(file.problems);
        EXPECT_NE(file.problems[0].remedy, "");
    }
    // An invalid one is: what was in force before stays.
    EXPECT_EQ(decode("action: CUSTOM\nrules: [{from: []}]").objects.size(), 1U);
}

TEST(DecodeAuthorization, WhatBecomesUnenforcedLeavesForce) {
    const ObjectKey key{Kind::kAuthorizationPolicy, {Symbol("x"), Symbol("p")}};
    ManifestSet set;
    set.update("f.yaml", manifest("rules: [{}]"), {});
    ASSERT_EQ(set.take_change().upserts.size(), 1U);
    set.update("f.yaml", manifest("action: AUDIT\nrules: [{}]"), {});
    const Change change = set.take_change();
    EXPECT_TRUE(change.upserts.empty());
    ASSERT_EQ(change.erasures.size(), 1U);
    EXPECT_EQ(change.erasures[0], key);
    const ManifestStatus status = set.status();
    EXPECT_TRUE(status.kept.empty());
    EXPECT_EQ(status.objects[static_cast<std::size_t>(Kind::kAuthorizationPolicy)], 0U);
    ASSERT_EQ(status.problems.size(), 1U);
    EXPECT_THAT(to_string(status.problems[0]),
                HasSubstr("f.yaml:5:11: warning: AuthorizationPolicy x/p: spec.action: Weir does "
                          "not enforce the action AUDIT"));
    set.update("f.yaml", manifest("rules: [{}]"), {});
    EXPECT_EQ(set.take_change().upserts.size(), 1U);
    EXPECT_TRUE(set.status().problems.empty());
}

TEST(DecodeAuthorization, AnInvalidVersionKeepsTheLastValidOne) {
    ManifestSet set;
    set.update("f.yaml", manifest("rules: [{}]"), {});
    static_cast<void>(set.take_change());
    set.update("f.yaml", manifest("rules: [{from: []}]"), {});
    EXPECT_TRUE(set.take_change().is_empty());
    ASSERT_EQ(set.status().kept.size(), 1U);
    EXPECT_THAT(set.status().kept[0].why, HasSubstr("spec.rules[0].from: is empty"));
}

TEST(DecodeAuthorization, CheckSaysWhatIsNotEnforced) {
    const TemporaryFolder folder;
    const std::string path = folder.write("a.yaml", manifest("action: CUSTOM\nrules: [{}]"));
    const CheckReport report = check_paths(std::vector{path});
    EXPECT_EQ(report.exit_status(false), 0);
    EXPECT_EQ(report.exit_status(true), 1);
    EXPECT_EQ(report.objects, 0U);
    EXPECT_THAT(to_text(report, false), HasSubstr(path + ":5:11: warning: AuthorizationPolicy"));
}

TEST(DecodeAuthorization, DryRunAndAudit) {
    struct Case {
        const char* annotations;
        Enforcement enforcement;
        std::size_t warnings;
    };
    for (const Case& expected : {
             Case{"{istio.io/dry-run: 'true'}", Enforcement::kDryRun, 0},
             Case{"{istio.io/dry-run: 'false'}", Enforcement::kEnforced, 0},
             Case{"{istio.io/dry-run: '1'}", Enforcement::kEnforced, 1},
             Case{"{weir.io/audit: 'true'}", Enforcement::kAudited, 0},
             Case{"{weir.io/audit: 'true', istio.io/dry-run: 'true'}", Enforcement::kDryRun, 0},
             Case{"{weir.io/audit: 'true', istio.io/dry-run: 'false'}", Enforcement::kAudited, 0},
             Case{"{weir.io/audit: 'on'}", Enforcement::kEnforced, 1},
         }) {
        const DecodedFile file =
            decode_file("f.yaml", manifest("rules: [{}]", expected.annotations));
        EXPECT_EQ(valid(file).enforcement, expected.enforcement) << expected.annotations;
        EXPECT_EQ(file.problems.size(), expected.warnings) << to_text(file.problems);
        for (const Problem& problem : file.problems)
            EXPECT_EQ(problem.line, 3U);
    }
}

TEST(DecodeAuthorization, WarnsOfWhatIsSuspect) {
    for (const Remark& expected : {
             Remark{"selector: {matchExpressions: [{key: a, operator: Exists}]}",
                    "spec.selector.matchExpressions", "unknown field", 5},
             Remark{"rules: [{from: [{source: {principals: ['a*b*']}}]}]",
                    "spec.rules[0].from[0].source.principals[0]", "an asterisk counts as such", 5},
             Remark{"rules: [{form: []}]", "spec.rules[0].form", "unknown field", 5},
         }) {
        const DecodedFile file = decode(expected.spec);
        static_cast<void>(valid(file));
        EXPECT_TRUE(has_problem(file, Severity::kWarning, expected, kObject))
            << expected.spec << to_text(file.problems);
        EXPECT_EQ(file.problems.size(), 1U) << to_text(file.problems);
    }
}

} // namespace
} // namespace weir
