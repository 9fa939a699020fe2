// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode.h"

#include <gmock/gmock.h>
#include <netinet/in.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "tests/agent/kube/manifest_support.h"

namespace weir {
namespace {

using testing::Contains;
using testing::HasSubstr;

std::string indented(std::string_view text, std::string_view by) {
    std::string result;
    for (const char c : text) {
        result += c;
        if (c == '\n') result += by;
    }
    return result;
}

std::string policy_with_spec(std::string_view spec) {
    return "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: p\n"
           "  namespace: x\nspec:\n  " +
           indented(spec, "  ") + "\n";
}

NetworkPolicy policy(std::string_view spec) {
    const DecodedFile file = decode_file("f.yaml", policy_with_spec(spec));
    for (const Problem& problem : file.problems) {
        EXPECT_NE(problem.severity, Severity::kError) << to_string(problem);
    }
    if (file.objects.empty() || !file.objects[0].object) return {};
    return std::get<NetworkPolicy>(*file.objects[0].object);
}

struct Types {
    const char* spec;
    bool ingress;
    bool egress;
};

TEST(DecodeNetworkPolicy, PolicyTypesDefault) {
    for (const Types& expected : {
             Types{"podSelector: {}", true, false},
             Types{"podSelector: {}\negress:", true, false},
             Types{"podSelector: {}\negress: []", true, false},
             Types{"podSelector: {}\negress: [{}]", true, true},
             Types{"podSelector: {}\npolicyTypes: []\negress: [{}]", true, true},
             Types{"podSelector: {}\npolicyTypes: [Egress]", false, true},
             Types{"podSelector: {}\npolicyTypes: [Ingress]\negress: [{}]", true, false},
             Types{"podSelector: {}\npolicyTypes: [Ingress, Egress]", true, true},
         }) {
        const NetworkPolicy decoded = policy(expected.spec);
        EXPECT_EQ(decoded.isolates_ingress, expected.ingress) << expected.spec;
        EXPECT_EQ(decoded.isolates_egress, expected.egress) << expected.spec;
    }
}

TEST(DecodeNetworkPolicy, Ports) {
    const NetworkPolicy decoded = policy(
        "podSelector: {}\ningress:\n- ports:\n  - {}\n  - {port: 80}\n"
        "  - {port: 80, endPort: 90, protocol: UDP}\n  - {port: http, protocol: SCTP}\n"
        "- ports:\n  from: null\n- \n");
    ASSERT_EQ(decoded.ingress.size(), 3U);
    const std::vector<Port> expected = {{IPPROTO_TCP, PortRange{}},
                                        {IPPROTO_TCP, PortRange{80, 80}},
                                        {IPPROTO_UDP, PortRange{80, 90}},
                                        {IPPROTO_SCTP, Symbol("http")}};
    EXPECT_EQ(decoded.ingress[0].ports, expected);
    EXPECT_TRUE(decoded.ingress[1].ports.empty() && decoded.ingress[1].peers.empty());
    EXPECT_EQ(decoded.ingress[0].line, 9U);
    EXPECT_EQ(decoded.ingress[1].line, 14U);
}

TEST(DecodeNetworkPolicy, Peers) {
    const NetworkPolicy decoded = policy(
        "podSelector: {matchLabels: {a: b}, matchExpressions: [{key: k, operator: NotIn, values: "
        "[v, '']}]}\negress:\n- to:\n  - podSelector: {}\n    namespaceSelector: {matchLabels: {c: "
        "}}\n  - ipBlock: {cidr: 10.0.0.7/8, except: [10.1.0.0/16]}\n  - ipBlock: {cidr: '::/0'}");
    using Operator = LabelRequirement::Operator;
    const Selector subjects{{{Symbol("a"), Operator::kIn, {Symbol("b")}},
                             {Symbol("k"), Operator::kNotIn, {Symbol("v"), Symbol("")}}}};
    EXPECT_EQ(decoded.subjects, subjects);
    ASSERT_EQ(decoded.egress.at(0).peers.size(), 3U);
    const Peer& both = decoded.egress[0].peers[0];
    EXPECT_TRUE(both.pods && both.pods->requirements.empty());
    EXPECT_EQ(both.namespaces->requirements.at(0).values.at(0).get(), ""); // null is ""
    EXPECT_EQ(decoded.egress[0].peers[1].block->cidr.to_string(), "10.0.0.0/8");
    EXPECT_EQ(decoded.egress[0].peers[1].block->except.at(0).to_string(), "10.1.0.0/16");
    EXPECT_FALSE(decoded.egress[0].peers[2].block->cidr.is_v4());
}

struct Refusal {
    const char* spec;
    const char* field;
    const char* what;
};

TEST(DecodeNetworkPolicy, RefusesWhatTheApiServerRefuses) {
    for (const Refusal& expected : {
             Refusal{"podSelector: {matchLabels: {a: true}}", "spec.podSelector.matchLabels.a",
                     "must be a string, is a boolean"},
             Refusal{"podSelector: {matchLabels: {a: 1}}", "spec.podSelector.matchLabels.a",
                     "must be a string, is a number"},
             Refusal{"podSelector: {matchLabels: {a: 'x y'}}", "spec.podSelector.matchLabels.a",
                     "label value"},
             Refusal{"podSelector: {matchLabels: {-a: x}}", "spec.podSelector.matchLabels.-a",
                     "label key"},
             Refusal{"podSelector: {matchLabels: {A.b/c: x}}",
                     "spec.podSelector.matchLabels[A.b/c]", "DNS subdomain"},
             Refusal{"podSelector: {matchExpressions: [{key: a, operator: In}]}",
                     "spec.podSelector.matchExpressions[0].values", "at least one value"},
             Refusal{"podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}",
                     "spec.podSelector.matchExpressions[0].values", "take no values"},
             Refusal{"podSelector: {matchExpressions: [{key: a, operator: Is, values: [b]}]}",
                     "spec.podSelector.matchExpressions[0].operator", "unknown operator 'Is'"},
             Refusal{"podSelector: {matchExpressions: [{operator: Exists}]}",
                     "spec.podSelector.matchExpressions[0].key", "required"},
             Refusal{"ingress: [{from: [{}]}]", "spec.ingress[0].from[0]", "selects nothing"},
             Refusal{"ingress: [{from: [{podSelector: }]}]", "spec.ingress[0].from[0]",
                     "selects nothing"},
             Refusal{"egress: [{to: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]",
                     "spec.egress[0].to[0]", "ipBlock and a selector"},
             Refusal{"egress: [{to: [{ipBlock: {}}]}]", "spec.egress[0].to[0].ipBlock.cidr",
                     "required"},
             Refusal{"egress: [{to: [{ipBlock: {cidr: 10.0.0.1}}]}]",
                     "spec.egress[0].to[0].ipBlock.cidr", "no CIDR block"},
             Refusal{"egress: [{to: [{ipBlock: {cidr: 10.0.0.0/33}}]}]",
                     "spec.egress[0].to[0].ipBlock.cidr", "no CIDR block"},
             Refusal{"egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/9]}}]}]",
                     "spec.egress[0].to[0].ipBlock.except[0]", "not a part"},
             Refusal{"egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]",
                     "spec.egress[0].to[0].ipBlock.except[0]", "not a part"},
             Refusal{"egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: ['fd00::/9']}}]}]",
                     "spec.egress[0].to[0].ipBlock.except[0]", "another address family"},
             Refusal{"ingress: [{ports: [{port: 0}]}]", "spec.ingress[0].ports[0].port",
                     "no port number"},
             Refusal{"ingress: [{ports: [{port: 65536}]}]", "spec.ingress[0].ports[0].port",
                     "no port number"},
             Refusal{"ingress: [{ports: [{port: '80'}]}]", "spec.ingress[0].ports[0].port",
                     "must contain a letter"},
             Refusal{"ingress: [{ports: [{port: Http}]}]", "spec.ingress[0].ports[0].port",
                     "lower-case"},
             Refusal{"ingress: [{ports: [{port: a--b}]}]", "spec.ingress[0].ports[0].port", "'--'"},
             Refusal{"ingress: [{ports: [{port: abcdefghijklmnop}]}]",
                     "spec.ingress[0].ports[0].port", "longer than 15"},
             Refusal{"ingress: [{ports: [{endPort: 90}]}]", "spec.ingress[0].ports[0].endPort",
                     "without a numeric port"},
             Refusal{"ingress: [{ports: [{port: http, endPort: 90}]}]",
                     "spec.ingress[0].ports[0].endPort", "without a numeric port"},
             Refusal{"ingress: [{ports: [{port: 90, endPort: 80}]}]",
                     "spec.ingress[0].ports[0].endPort", "less than port 90"},
             Refusal{"ingress: [{ports: [{port: 90, endPort: 65536}]}]",
                     "spec.ingress[0].ports[0].endPort", "no port number"},
             Refusal{"ingress: [{ports: [{protocol: ICMP}]}]", "spec.ingress[0].ports[0].protocol",
                     "unknown protocol 'ICMP'"},
             Refusal{"ingress: [{ports: [{protocol: tcp}]}]", "spec.ingress[0].ports[0].protocol",
                     "unknown protocol 'tcp'"},
             Refusal{"policyTypes: [Both]", "spec.policyTypes[0]", "unknown policy type 'Both'"},
             Refusal{"policyTypes: [Ingress, Egress, Egress]", "spec.policyTypes", "more than two"},
             Refusal{"ingress: {}", "spec.ingress", "must be a list, is a mapping"},
             Refusal{"podSelector: []", "spec.podSelector", "must be a mapping, is a list"},
             Refusal{"podSelector: {}\npodSelector: {}", "spec.podSelector", "stands twice"},
         }) {
        const DecodedFile file = decode_file("f.yaml", policy_with_spec(expected.spec));
        ASSERT_EQ(file.objects.size(), 1U) << expected.spec;
        EXPECT_FALSE(file.objects[0].object) << expected.spec;
        const auto is_expected = [&](const Problem& problem) {
            return problem.severity == Severity::kError && problem.field == expected.field &&
                   problem.what.find(expected.what) != std::string::npos && problem.line > 6 &&
                   problem.object == "NetworkPolicy x/p" && problem.file == "f.yaml";
        };
        EXPECT_TRUE(std::ranges::any_of(file.problems, is_expected))
            << expected.spec << " got "
            << (file.problems.empty() ? "nothing" : to_string(file.problems.front()));
    }
}

TEST(DecodeNetworkPolicy, ReportsEveryProblemAtOnce) {
    const DecodedFile file = decode_file(
        "f.yaml",
        policy_with_spec("podSelector: {}\ningress:\n- ports: [{port: 0}, {protocol: X}]\n"
                         "  from: [{}]\npolicyTypes: [A]"));
    EXPECT_EQ(file.problems.size(), 4U);
    EXPECT_EQ(to_string(file.problems[1]),
              "f.yaml:9:20: error: NetworkPolicy x/p: spec.ingress[0].ports[0].port: 0 is no port "
              "number; use a number from 1 to 65535");
}

TEST(DecodeNetworkPolicy, WarnsOfWhatIsLegalButSuspect) {
    for (const char* spec :
         {"podSelector: {}\ningres: []", "ingress: []", "podSelector: {}\ningress: [{form: []}]",
          "podSelector: {matchLabels: {a: y}}",
          "podSelector: {}\npolicyTypes: [Ingress]\negress: [{}]"}) {
        const DecodedFile file = decode_file("f.yaml", policy_with_spec(spec));
        ASSERT_EQ(file.problems.size(), 1U) << spec;
        EXPECT_EQ(file.problems[0].severity, Severity::kWarning) << spec;
        EXPECT_TRUE(file.objects.at(0).object) << spec;
    }
}

TEST(DecodePod, AddressesPortsAndState) {
    const DecodedFile file = decode_file("f.yaml", R"(apiVersion: v1
kind: Pod
metadata: {name: a.b, labels: {z: "1", app: web}}
spec:
  nodeName: n1
  hostNetwork: true
  containers:
  - {name: c, ports: [{containerPort: 80, name: http}, {containerPort: 53, protocol: UDP}]}
  initContainers:
  - {name: side, restartPolicy: Always, ports: [{containerPort: 90}]}
  - {name: init, ports: [{containerPort: 91}]}
status: {phase: Succeeded, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
)");
    ASSERT_TRUE(file.problems.empty()) << to_string(file.problems[0]);
    const Pod pod = std::get<Pod>(*file.objects.at(0).object);
    EXPECT_EQ(pod.name.ns.get(), "default");
    EXPECT_EQ(pod.service_account.get(), "default");
    EXPECT_EQ(pod.labels, (Labels{{Symbol("app"), Symbol("web")}, {Symbol("z"), Symbol("1")}}));
    EXPECT_EQ(pod.addresses.size(), 2U);
    EXPECT_TRUE(pod.is_host_network && pod.is_terminated);
    const std::vector<ContainerPort> ports = {{Symbol("http"), 80, IPPROTO_TCP},
                                              {Symbol(""), 53, IPPROTO_UDP},
                                              {Symbol(""), 90, IPPROTO_TCP}};
    EXPECT_EQ(pod.ports, ports);
}

TEST(DecodePod, UidIsTheOneThatTheKubeletCallsItBy) {
    const auto uid_of = [](const std::string& metadata) {
        const DecodedFile file =
            decode_file("f", "{apiVersion: v1, kind: Pod, metadata: {name: a, " + metadata + "}}");
        return std::get<Pod>(*file.objects.at(0).object).uid;
    };
    const auto uid = uid_of("uid: 00112233-4455-6677-8899-aabbccddeeff");
    EXPECT_EQ(uid[1], 0x11);
    EXPECT_EQ(uid[15], 0xff);
    EXPECT_EQ(uid_of("uid: ffffffff-4455-6677-8899-aabbccddeeff, annotations: "
                     "{kubernetes.io/config.mirror: 00112233445566778899aabbccddeeff}"),
              uid);
    const std::array<std::uint8_t, 16> unknown{};
    for (const char* other : {"uid: ''", "uid: null", "annotations: null", "uid: 7",
                              "uid: 00112233-4455-6677-8899-aabbccddeefg"})
        EXPECT_EQ(uid_of(other), unknown) << other;
}

TEST(DecodePod, RefusesWhatItCannotUse) {
    for (const char* rest : {"status: {podIPs: [{ip: 10.0.0.256}]}",
                             "spec: {containers: [{ports: [{containerPort: 0}]}]}",
                             "spec: {containers: [{ports: [{containerPort: 1, protocol: X}]}]}",
                             "spec: {containers: [{ports: [{containerPort: 1, hostPort: 70000}]}]}",
                             "spec: {containers: [{ports: [{containerPort: 1, hostPort: 1, hostIP: "
                             "x}]}]}",
                             "spec: {hostNetwork: 'yes'}", "spec: []", "status: {podIP: 5}"}) {
        const DecodedFile file = decode_file(
            "f", std::string("{apiVersion: v1, kind: Pod, metadata: {name: a}, ") + rest + "}");
        ASSERT_EQ(file.objects.size(), 1U) << rest;
        EXPECT_FALSE(file.objects[0].object) << rest;
    }
}

TEST(DecodeCluster, NamespaceGetsItsNameLabelAndNodeItsAddresses) {
    const DecodedFile file = decode_file("f", R"({"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"x","labels":{"a":"b"}}},
{"apiVersion":"v1","kind":"Node","metadata":{"name":"n"},"status":{"addresses":[
 {"type":"InternalIP","address":"10.0.0.1"},{"type":"Hostname","address":"n"},
 {"type":"ExternalIP","address":"2001:db8::1"}]}}]})");
    ASSERT_EQ(file.objects.size(), 2U);
    const Labels labels = {{Symbol("a"), Symbol("b")},
                           {Symbol("kubernetes.io/metadata.name"), Symbol("x")}};
    EXPECT_EQ(std::get<Namespace>(*file.objects[0].object).labels, labels);
    EXPECT_EQ(std::get<Node>(*file.objects[1].object).addresses.size(), 2U);
    EXPECT_EQ(file.objects[1].origin.line, 3U);
}

TEST(DecodeFile, ListsOtherKindsAndVersions) {
    const DecodedFile file = decode_file("f", R"(apiVersion: networking.k8s.io/v1
kind: NetworkPolicyList
items:
- metadata: {name: one}
  spec: {podSelector: {}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
---
apiVersion: crd.projectcalico.org/v1
kind: NetworkPolicy
metadata: {name: c}
---
apiVersion: extensions/v1beta1
kind: NetworkPolicy
metadata: {name: old}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolcy
metadata: {name: typo}
---
just text
)");
    ASSERT_EQ(file.objects.size(), 1U);
    EXPECT_EQ(to_string(file.objects[0].key), "NetworkPolicy default/one");
    ASSERT_EQ(file.ignored.size(), 2U);
    EXPECT_EQ(file.ignored[0].kind, "Deployment (apps/v1)");
    EXPECT_EQ(file.problems.size(), 3U);
    EXPECT_FALSE(file.unidentified.empty());
}

TEST(DecodeFile, NamesAreChecked) {
    for (const char* metadata : {"{}", "{name: }", "{name: 'A'}", "{name: a_b}", "{name: 5}",
                                 "{name: a, namespace: B}", "{name: a, namespace: a.b}", "x"}) {
        const DecodedFile file = decode_file(
            "f", std::string("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: ") +
                     metadata + ", spec: {podSelector: {}}}");
        EXPECT_TRUE(file.objects.empty()) << metadata;
        EXPECT_FALSE(file.problems.empty()) << metadata;
        EXPECT_FALSE(file.unidentified.empty()) << metadata;
    }
}

TEST(DecodeFile, ASyntaxErrorLeavesTheOtherDocumentsAlone) {
    const DecodedFile file =
        decode_file("f", policy_yaml("x", "a") + "---\na: [\n---\n" + policy_yaml("x", "b"));
    ASSERT_EQ(file.objects.size(), 2U);
    ASSERT_EQ(file.problems.size(), 1U);
    EXPECT_THAT(file.problems[0].what, HasSubstr("syntax error"));
    EXPECT_EQ(file.objects[1].origin.line, 11U);
}

// The corpus names the objects that the API server refuses: "bad", and no other.
TEST(DecodeFile, CorpusCases) {
    std::set<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(testdata_folder())) {
        files.insert(entry.path().filename().string());
    }
    ASSERT_GE(files.size(), 19U);
    for (const std::string& name : files) {
        const DecodedFile file = decode_file(name, read_testdata(name));
        EXPECT_FALSE(file.objects.empty()) << name;
        EXPECT_EQ(file.unidentified, "") << name;
        for (const DecodedObject& object : file.objects) {
            EXPECT_EQ(object.object.has_value(), object.key.name.name.get() != "bad") << name;
        }
    }
}

TEST(DecodeFile, TruncatedAnywhereItNeverCrashes) {
    std::vector<std::string> texts;
    for (const auto& entry : std::filesystem::directory_iterator(testdata_folder())) {
        texts.push_back(read_testdata(entry.path().filename().string()));
    }
    texts.push_back(
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},"
        "\"status\":{\"podIPs\":[{\"ip\":\"fd00::1\"}]}}");
    texts.push_back("a: &a {b: 1}\nc: {<<: [*a, *a], d: !!str 5}\n---\n{\"x\":\"\\u00e4\"}{}");
    for (const std::string& text : texts) {
        for (std::size_t length = 0; length <= text.size(); ++length) {
            static_cast<void>(decode_file("f", std::string_view(text).substr(0, length)));
            static_cast<void>(decode_file("f", std::string_view(text).substr(length)));
        }
    }
}

// Whatever the keys of a file are: logs and CI read line by line.
TEST(DecodeFile, AProblemIsOneLine) {
    const DecodedFile file = decode_file("f.yaml",
                                         "apiVersion: v1\nkind: Namespace\nmetadata: {name: x, "
                                         "\"a\\nb\\x7f\": 1, labels: {\"c\\nd\": []}}\n");
    EXPECT_EQ(file.problems.size(), 3U); // of the labels both the key and the value are wrong
    EXPECT_EQ(std::ranges::count(file.problems, "metadata.a?b?", &Problem::field), 1);
    for (const auto& problem : file.problems)
        EXPECT_EQ(to_string(problem).find('\n'), std::string::npos) << to_string(problem);
}

} // namespace
} // namespace weir
