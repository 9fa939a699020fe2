// SPDX-License-Identifier: Apache-2.0
// ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy.
#include <netinet/in.h>

#include "tests/agent/kube/decode_support.h"

namespace weir {
namespace {

using testing::HasSubstr;

constexpr const char* kSubject = "subject: {namespaces: {}}";

// Line 4 is "spec:", the text begins in line 5.
std::string manifest(std::string_view version, std::string_view kind, std::string_view spec) {
    return "apiVersion: policy.networking.k8s.io/" + std::string(version) +
           "\nkind: " + std::string(kind) + "\nmetadata: {name: default}\nspec:\n  " +
           indented(spec, "  ") + "\n";
}

DecodedFile cluster(std::string_view spec) {
    return decode_file("f.yaml", manifest("v1alpha2", "ClusterNetworkPolicy", spec));
}
DecodedFile admin(std::string_view spec) {
    return decode_file("f.yaml", manifest("v1alpha1", "AdminNetworkPolicy", spec));
}
DecodedFile baseline(std::string_view spec) {
    return decode_file("f.yaml", manifest("v1alpha1", "BaselineAdminNetworkPolicy", spec));
}

// A ClusterNetworkPolicy with these members beside tier, priority and subject, from line 8 on.
std::string with(std::string_view rest) {
    return std::string("tier: Admin\npriority: 7\n") + kSubject + "\n" + std::string(rest);
}
std::string ingress(std::string_view rule) {
    return with("ingress:\n- " + indented(rule, "  "));
}
std::string egress(std::string_view rule) {
    return with("egress:\n- " + indented(rule, "  "));
}

TierPolicy valid(const DecodedFile& file) {
    for (const Problem& problem : file.problems) {
        EXPECT_NE(problem.severity, Severity::kError) << to_string(problem);
    }
    if (file.objects.empty() || !file.objects[0].object) {
        ADD_FAILURE() << "no object";
        return {};
    }
    return std::get<TierPolicy>(*file.objects[0].object);
}

TierRule egress_rule(std::string_view rule) {
    const TierPolicy policy = valid(cluster(egress(rule)));
    return policy.egress.empty() ? TierRule{} : policy.egress[0];
}

Selector selector(const char* key, const char* value) {
    return {{{Symbol(key), LabelRequirement::Operator::kIn, {Symbol(value)}}}};
}

TEST(DecodeTier, ClusterNetworkPolicyWhole) {
    const DecodedFile file = cluster(R"(tier: Baseline
priority: 1000
subject: {pods: {namespaceSelector: {matchLabels: {a: b}}, podSelector: {}}}
ingress:
- name: first
  action: Accept
  from:
  - namespaces: {matchLabels: {c: d}}
  - pods: {podSelector: {matchLabels: {e: f}}}
  protocols:
  - tcp: {destinationPort: {number: 80}}
  - udp: {destinationPort: {range: {start: 53, end: 54}}}
  - destinationNamedPort: web
- {action: Pass, from: [{namespaces: {}}]}
egress:
- action: Deny
  to: [{nodes: {}}, {networks: [10.0.0.0/8, 'fd00::/8']}]
  protocols: [{sctp: {destinationPort: {number: 1}}}])");
    EXPECT_TRUE(file.problems.empty()) << to_text(file.problems);
    const TierPolicy policy = valid(file);
    EXPECT_EQ(to_string(file.objects[0].key), "ClusterNetworkPolicy default");
    EXPECT_EQ(policy.name.ns.get(), "");
    EXPECT_EQ(policy.tier, Tier::kBaseline);
    EXPECT_EQ(policy.priority, 1000);
    EXPECT_EQ(policy.subjects, (PodSelection{selector("a", "b"), {}}));
    EXPECT_EQ(policy.origin.line, 1U);
    ASSERT_EQ(policy.ingress.size(), 2U);
    const TierRule& first = policy.ingress[0];
    EXPECT_EQ(first.name.get(), "first");
    EXPECT_EQ(first.line, 9U);
    EXPECT_EQ(first.action, TierAction::kAccept);
    const std::vector<TierRule::Peer> peers = {PodSelection{selector("c", "d"), {}},
                                               PodSelection{{}, selector("e", "f")}};
    EXPECT_EQ(first.peers, peers);
    EXPECT_FALSE(first.is_any_peer);
    const std::vector<Port> ports = {{IPPROTO_TCP, PortRange{80, 80}},
                                     {IPPROTO_UDP, PortRange{53, 54}},
                                     {IPPROTO_TCP, Symbol("web")},
                                     {IPPROTO_UDP, Symbol("web")},
                                     {IPPROTO_SCTP, Symbol("web")}};
    EXPECT_EQ(first.ports, ports);
    EXPECT_EQ(policy.ingress[1].action, TierAction::kPass);
    EXPECT_TRUE(policy.ingress[1].ports.empty());
    const std::vector<TierRule::Peer> addresses = {NodeSelection{}, *Cidr::parse("10.0.0.0/8"),
                                                   *Cidr::parse("fd00::/8")};
    EXPECT_EQ(policy.egress.at(0).peers, addresses);
    EXPECT_EQ(policy.egress.at(0).action, TierAction::kDeny);
}

TEST(DecodeTier, AdminNetworkPolicyWhole) {
    const DecodedFile file = admin(R"(priority: 0
subject: {namespaces: {matchLabels: {a: b}}}
egress:
- action: Allow
  to: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {c: d}}}}]
  ports:
  - portNumber: {port: 80}
  - portNumber: {port: 53, protocol: UDP}
  - portRange: {start: 1, end: 9, protocol: SCTP}
  - portRange: {start: 7, end: 7}
  - namedPort: dns
- {action: Pass, to: [{networks: [0.0.0.0/0]}]})");
    EXPECT_TRUE(file.problems.empty()) << to_text(file.problems);
    const TierPolicy policy = valid(file);
    EXPECT_EQ(policy.api, TierPolicy::Api::kAdminNetworkPolicy);
    EXPECT_EQ(policy.tier, Tier::kAdmin);
    EXPECT_EQ(policy.egress.at(0).action, TierAction::kAccept);
    const std::vector<Port> ports = {
        {IPPROTO_TCP, PortRange{80, 80}}, {IPPROTO_UDP, PortRange{53, 53}},
        {IPPROTO_SCTP, PortRange{1, 9}},  {IPPROTO_TCP, PortRange{7, 7}},
        {IPPROTO_TCP, Symbol("dns")},     {IPPROTO_UDP, Symbol("dns")},
        {IPPROTO_SCTP, Symbol("dns")}};
    EXPECT_EQ(policy.egress[0].ports, ports);
}

TEST(DecodeTier, BaselineAdminNetworkPolicyIsTheBaseline) {
    const TierPolicy policy = valid(baseline(std::string(kSubject) + R"(
ingress: [{action: Deny, from: [{namespaces: {}}]}])"));
    EXPECT_EQ(policy.api, TierPolicy::Api::kBaselineAdminNetworkPolicy);
    EXPECT_EQ(policy.tier, Tier::kBaseline);
    EXPECT_EQ(policy.ingress.at(0).action, TierAction::kDeny);
}

std::string repeated(std::string_view item, int count) {
    std::string list = "[";
    for (int i = 0; i < count; ++i)
        list += (i == 0 ? "" : ", ") + std::string(item);
    return list + "]";
}

void expect_refused(const DecodedFile& file, const Remark& expected, std::string_view object) {
    ASSERT_EQ(file.objects.size(), 1U) << expected.spec;
    EXPECT_FALSE(file.objects[0].object) << expected.spec;
    EXPECT_TRUE(has_problem(file, Severity::kError, expected, object))
        << expected.spec << to_text(file.problems);
}

TEST(DecodeTier, ClusterNetworkPolicyRefusals) {
    for (const Remark& expected : {
             Remark{"priority: 1\nsubject: {namespaces: {}}", "spec.tier", "is required", 5},
             Remark{"tier: admin\npriority: 1\nsubject: {namespaces: {}}", "spec.tier",
                    "unknown tier 'admin'", 5},
             Remark{"tier: Admin\nsubject: {namespaces: {}}", "spec.priority", "is required", 5},
             Remark{"tier: Admin\npriority: -1\nsubject: {namespaces: {}}", "spec.priority",
                    "-1 is out of range", 6},
             Remark{"tier: Admin\npriority: 1001\nsubject: {namespaces: {}}", "spec.priority",
                    "1001 is out of range", 6},
             Remark{"tier: Admin\npriority: '1'\nsubject: {namespaces: {}}", "spec.priority",
                    "must be a number", 6},
             Remark{"tier: Admin\npriority: 1", "spec.subject", "is required", 5},
             Remark{"tier: Admin\npriority: 1\nsubject: {}", "spec.subject", "selects nothing", 7},
             Remark{"tier: Admin\npriority: 1\nsubject: {namespaces: }", "spec.subject",
                    "selects nothing", 7},
             Remark{"tier: Admin\npriority: 1\nsubject: {moons: {}}", "spec.subject",
                    "selects nothing", 7},
             Remark{"tier: Admin\npriority: 1\nsubject: {namespaces: {}, pods: {podSelector: {}}}",
                    "spec.subject", "exclude each other", 7},
             Remark{"tier: Admin\npriority: 1\nsubject: {pods: {namespaceSelector: {}}}",
                    "spec.subject.pods.podSelector", "is required", 7},
             Remark{"tier: Admin\npriority: 1\nsubject: {namespaces: {matchExpressions: [{key: a, "
                    "operator: Is}]}}",
                    "spec.subject.namespaces.matchExpressions[0].operator", "unknown operator", 7},
             Remark{"[]", "spec", "must be a mapping", 5},
         }) {
        expect_refused(cluster(expected.spec), expected, "ClusterNetworkPolicy default");
    }
    expect_refused(decode_file("f.yaml",
                               "apiVersion: policy.networking.k8s.io/v1alpha2\n\nkind: "
                               "ClusterNetworkPolicy\n\nmetadata: {name: default}\n"),
                   {"", "spec", "is required", 1}, "ClusterNetworkPolicy default");
}

TEST(DecodeTier, RuleRefusals) {
    for (const Remark& expected : {
             Remark{"action: Accept", "spec.egress[0].to", "is required", 9},
             Remark{"action: Accept\nto: []", "spec.egress[0].to", "is empty", 10},
             Remark{"action: Accept\nto: {}", "spec.egress[0].to", "must be a list", 10},
             Remark{"to: [{namespaces: {}}]", "spec.egress[0].action", "is required", 9},
             Remark{"action: Allow\nto: [{namespaces: {}}]", "spec.egress[0].action",
                    "unknown action 'Allow'", 9},
             Remark{"action: deny\nto: [{namespaces: {}}]", "spec.egress[0].action",
                    "unknown action 'deny'", 9},
             Remark{"action: Deny\nto: [{}]", "spec.egress[0].to[0]", "selects nothing", 10},
             Remark{"action: Deny\nto: [null]", "spec.egress[0].to[0]", "is empty", 10},
             Remark{"action: Deny\nto: [{namespaces: {}, nodes: {}}]", "spec.egress[0].to[0]",
                    "namespaces and nodes exclude each other", 10},
             Remark{"action: Deny\nto: [{pods: {namespaceSelector: {}}}]",
                    "spec.egress[0].to[0].pods.podSelector", "is required", 10},
             Remark{"action: Deny\nto: [{networks: []}]", "spec.egress[0].to[0].networks",
                    "is empty", 10},
             Remark{"action: Deny\nto: [{networks: [10.0.0.1]}]",
                    "spec.egress[0].to[0].networks[0]", "no CIDR block", 10},
             Remark{"action: Deny\nto: [{networks: ['::ffff:10.0.0.0/104']}]",
                    "spec.egress[0].to[0].networks[0]", "no CIDR block", 10},
             Remark{"action: Deny\nto: [{networks: [10.0.0.0/8, 10.0.0.0/8]}]",
                    "spec.egress[0].to[0].networks[1]", "stands twice", 10},
             Remark{"action: Accept\nto: [{domainNames: []}]", "spec.egress[0].to[0].domainNames",
                    "is empty", 10},
             Remark{"action: Accept\nto: [{domainNames: [a.b, a.b]}]",
                    "spec.egress[0].to[0].domainNames[1]", "stands twice", 10},
             Remark{"action: Accept\nto: [{domainNames: [localhost]}]",
                    "spec.egress[0].to[0].domainNames[0]", "at least two parts", 10},
             Remark{"action: Accept\nto: [{domainNames: ['a.*.b']}]",
                    "spec.egress[0].to[0].domainNames[0]", "no domain name", 10},
             Remark{"action: Accept\nto: [{domainNames: ['-a.b']}]",
                    "spec.egress[0].to[0].domainNames[0]", "no domain name", 10},
             Remark{"action: Deny\nto: [{nodes: []}]", "spec.egress[0].to[0].nodes",
                    "must be a mapping", 10},
         }) {
        expect_refused(cluster(egress(expected.spec)), expected, "ClusterNetworkPolicy default");
    }
}

TEST(DecodeTier, PortRefusals) {
    constexpr const char* kField = "spec.ingress[0].protocols[0]";
    struct Case {
        const char* protocol;
        const char* below;
        const char* what;
    };
    for (const Case& expected : {
             Case{"{}", "", "names no protocol"},
             Case{"null", "", "is empty"},
             Case{"{icmp: {}}", "", "names no protocol"},
             Case{"{tcp: {destinationPort: {number: 1}}, destinationNamedPort: a}", "",
                  "exclude each other"},
             Case{"{tcp: {}}", ".tcp.destinationPort", "is required"},
             Case{"{tcp: {destinationPort: {}}}", ".tcp.destinationPort", "names no port"},
             Case{"{udp: {destinationPort: {number: 1, range: {start: 1, end: 2}}}}",
                  ".udp.destinationPort", "exclude each other"},
             Case{"{sctp: {destinationPort: {number: 0}}}", ".sctp.destinationPort.number",
                  "0 is no port number"},
             Case{"{tcp: {destinationPort: {number: 65536}}}", ".tcp.destinationPort.number",
                  "65536 is no port number"},
             Case{"{tcp: {destinationPort: {number: web}}}", ".tcp.destinationPort.number",
                  "must be a number"},
             Case{"{tcp: {destinationPort: {range: {start: 5, end: 4}}}}",
                  ".tcp.destinationPort.range.end", "not greater than start 5"},
             Case{"{tcp: {destinationPort: {range: {start: 5, end: 5}}}}",
                  ".tcp.destinationPort.range.end", "not greater than start 5"},
             Case{"{tcp: {destinationPort: {range: {start: 5}}}}", ".tcp.destinationPort.range.end",
                  "is required"},
             Case{"{tcp: {destinationPort: {range: {end: 5}}}}", ".tcp.destinationPort.range.start",
                  "is required"},
             Case{"{destinationNamedPort: ''}", ".destinationNamedPort", "is empty"},
             Case{"{destinationNamedPort: 80}", ".destinationNamedPort", "must be a string"},
         }) {
        const std::string spec = ingress("action: Deny\nfrom: [{namespaces: {}}]\nprotocols: [" +
                                         std::string(expected.protocol) + "]");
        const std::string field = kField + std::string(expected.below);
        expect_refused(cluster(spec), {expected.protocol, field.c_str(), expected.what, 11},
                       "ClusterNetworkPolicy default");
    }
    expect_refused(cluster(ingress("action: Deny\nfrom: [{namespaces: {}}]\nprotocols: []")),
                   {"", "spec.ingress[0].protocols", "is empty", 11},
                   "ClusterNetworkPolicy default");
}

TEST(DecodeTier, NamedPortsNeedPodPeers) {
    for (const char* peer : {"{nodes: {}}", "{networks: [10.0.0.0/8]}", "{domainNames: [a.b]}",
                             "{namespaces: {}}, {nodes: {}}"}) {
        const std::string rule = std::string("action: Accept\nto: [") + peer +
                                 "]\nprotocols: [{destinationNamedPort: web}]";
        expect_refused(
            cluster(egress(rule)),
            {peer, "spec.egress[0].protocols[0].destinationNamedPort", "have no named ports", 11},
            "ClusterNetworkPolicy default");
    }
}

struct Limit {
    std::string spec;
    const char* field;
};

TEST(DecodeTier, ListsHaveLimits) {
    const auto cluster_specs = [](int count) {
        const std::string peers = repeated("{namespaces: {}}", count);
        const std::string ports = repeated("{tcp: {destinationPort: {number: 1}}}", count);
        std::string networks = "[10.0.0.0/8";
        for (int i = 1; i < count; ++i)
            networks += ", 10.0." + std::to_string(i) + ".0/24";
        return std::vector<Limit>{
            {with("ingress: " + repeated("{action: Deny, from: [{namespaces: {}}]}", count)),
             "spec.ingress"},
            {with("egress: " + repeated("{action: Deny, to: [{namespaces: {}}]}", count)),
             "spec.egress"},
            {ingress("action: Deny\nfrom: " + peers), "spec.ingress[0].from"},
            {ingress("action: Deny\nfrom: [{namespaces: {}}]\nprotocols: " + ports),
             "spec.ingress[0].protocols"},
            {egress("action: Deny\nto: [{networks: " + networks + "]}]"),
             "spec.egress[0].to[0].networks"}};
    };
    for (const Limit& limit : cluster_specs(25))
        EXPECT_TRUE(cluster(limit.spec).problems.empty()) << limit.field;
    for (const Limit& limit : cluster_specs(26)) {
        expect_refused(cluster(limit.spec), {limit.field, limit.field, "has 26 items"},
                       "ClusterNetworkPolicy default");
    }
    for (const int count : {100, 101}) {
        const DecodedFile file =
            admin(std::string("priority: 1\n") + kSubject +
                  "\ningress:\n- {action: Allow, from: " + repeated("{namespaces: {}}", count) +
                  ", ports: " + repeated("{namedPort: a}", count) + "}");
        EXPECT_EQ(file.problems.size(), count == 100 ? 0U : 2U) << to_text(file.problems);
    }
}

TEST(DecodeTier, RuleNamesHaveAHundredCharacters) {
    std::string name;
    for (int i = 0; i < 100; ++i)
        name += "ä"; // two bytes
    EXPECT_EQ(egress_rule("action: Deny\nto: [{namespaces: {}}]\nname: " + name).name.get(), name);
    expect_refused(cluster(egress("action: Deny\nto: [{namespaces: {}}]\nname: x" + name)),
                   {"", "spec.egress[0].name", "longer than 100", 11},
                   "ClusterNetworkPolicy default");
}

TEST(DecodeTier, OlderKindsRefusals) {
    const std::string rules = "\ningress: [{action: %, from: [{namespaces: {}}]}]";
    const auto with_action = [&](const char* action) {
        std::string text = rules;
        return text.replace(text.find('%'), 1, action);
    };
    const std::string admin_spec = std::string("priority: 1\n") + kSubject;
    expect_refused(admin(admin_spec + with_action("Accept")),
                   {"", "spec.ingress[0].action", "unknown action 'Accept'", 7},
                   "AdminNetworkPolicy default");
    expect_refused(admin(kSubject), {"", "spec.priority", "is required", 5},
                   "AdminNetworkPolicy default");
    expect_refused(baseline(kSubject + with_action("Pass")),
                   {"", "spec.ingress[0].action", "unknown action 'Pass'", 6},
                   "BaselineAdminNetworkPolicy default");
    expect_refused(
        admin(admin_spec + "\negress: [{action: Deny, to: [{pods: {podSelector: {}}}]}]"),
        {"", "spec.egress[0].to[0].pods.namespaceSelector", "is required", 7},
        "AdminNetworkPolicy default");
    constexpr const char* kPort = "spec.egress[0].ports[0]";
    for (const auto& [port, below, what] :
         {std::tuple{"{}", "", "names no port"},
          std::tuple{"{portNumber: {port: 1}, namedPort: a}", "", "exclude each other"},
          std::tuple{"{portNumber: {}}", ".portNumber.port", "is required"},
          std::tuple{"{portNumber: {port: 0}}", ".portNumber.port", "no port number"},
          std::tuple{"{portNumber: {port: 1, protocol: tcp}}", ".portNumber.protocol",
                     "unknown protocol 'tcp'"},
          std::tuple{"{portRange: {start: 2, end: 1}}", ".portRange.end", "not greater"},
          std::tuple{"{namedPort: }", "", "names no port"}}) {
        const std::string field = kPort + std::string(below);
        expect_refused(
            admin(admin_spec + "\negress: [{action: Deny, to: [{namespaces: {}}], ports: [" + port +
                  "]}]"),
            {port, field.c_str(), what, 7}, "AdminNetworkPolicy default");
    }
    const DecodedFile named = decode_file(
        "f.yaml",
        "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\n\n"
        "metadata: {name: mine}\nspec: {subject: {namespaces: {}}}\n");
    expect_refused(named, {"", "metadata.name", "must be called 'default', is 'mine'", 4},
                   "BaselineAdminNetworkPolicy mine");
}

// "If an implementation sees no fields are set ... it should fail closed."
TEST(DecodeTier, UnknownPeersFailClosed) {
    for (const char* action : {"Deny", "Pass"}) {
        const std::string rule = std::string("action: ") + action +
                                 "\nname: odd\nto: [{namespaces: {}}, {moons: {}}]\n"
                                 "protocols: [{tcp: {destinationPort: {number: 1}}}]";
        const DecodedFile file = cluster(egress(rule));
        const TierRule decoded = valid(file).egress.at(0);
        EXPECT_EQ(decoded.action, TierAction::kDeny);
        EXPECT_TRUE(decoded.is_any_peer && decoded.ports.empty() && decoded.peers.empty());
        EXPECT_EQ(decoded.name.get(), "odd");
        EXPECT_TRUE(
            has_problem(file, Severity::kWarning,
                        {"", "spec.egress[0].to[1]", "the rule 'odd' denies everything", 11},
                        "ClusterNetworkPolicy default"))
            << to_text(file.problems);
    }
    const DecodedFile file =
        cluster(ingress("action: Accept\nfrom: [{namespaces: {}}, {nodes: {}}]"));
    const TierRule accept = valid(file).ingress.at(0);
    EXPECT_TRUE(accept.action == TierAction::kAccept && !accept.is_any_peer &&
                accept.peers.empty());
    EXPECT_TRUE(has_problem(file, Severity::kWarning,
                            {"", "spec.ingress[0].from[1]", "the rule matches nothing", 10},
                            "ClusterNetworkPolicy default"));
}

TEST(DecodeTier, DomainNamesMatchNothing) {
    const DecodedFile file = cluster(egress(
        "action: Accept\nname: web\nto: [{domainNames: ['*.a.b', c.d.]}, {namespaces: {}}]"));
    const TierRule accept = valid(file).egress.at(0);
    EXPECT_EQ(accept.peers, (std::vector<TierRule::Peer>{PodSelection{}}));
    EXPECT_FALSE(accept.is_any_peer);
    EXPECT_TRUE(has_problem(
        file, Severity::kWarning,
        {"", "spec.egress[0].to[0].domainNames", "in the rule 'web' this peer matches nothing", 11},
        "ClusterNetworkPolicy default"))
        << to_text(file.problems);
    EXPECT_EQ(file.problems.size(), 1U);
    const TierRule alone = egress_rule("action: Accept\nto: [{domainNames: [a.b]}]");
    EXPECT_TRUE(alone.peers.empty() && !alone.is_any_peer);
    const TierRule deny = egress_rule("action: Pass\nto: [{domainNames: [a.b]}]");
    EXPECT_TRUE(deny.action == TierAction::kDeny && deny.is_any_peer);
}

TEST(DecodeTier, WarnsOfWhatIsIgnored) {
    for (const Remark& expected : {
             Remark{"action: Deny\nto: [{namespaces: {}}]\nports: []", "spec.egress[0].ports",
                    "unknown field", 11},
             Remark{"action: Deny\nto: [{networks: [10.0.0.1/8]}]",
                    "spec.egress[0].to[0].networks[0]", "bits set beyond", 10},
             Remark{"action: Deny\nto: [{namespaces: {}}]\nprotocols: [{destinationNamedPort: A}]",
                    "spec.egress[0].protocols[0].destinationNamedPort", "no port is called so", 11},
         }) {
        const DecodedFile file = cluster(egress(expected.spec));
        static_cast<void>(valid(file));
        EXPECT_TRUE(has_problem(file, Severity::kWarning, expected, "ClusterNetworkPolicy default"))
            << expected.spec << to_text(file.problems);
        EXPECT_EQ(file.problems.size(), 1U) << to_text(file.problems);
    }
}

TEST(DecodeTier, KindsAndVersions) {
    const auto decode = [](const char* version, const char* kind) {
        return decode_file("f", std::string("{apiVersion: ") + version + ", kind: " + kind +
                                    ", metadata: {name: default}, spec: {}}");
    };
    for (const auto& [version, kind, remedy] :
         {std::tuple{"policy.networking.k8s.io/v1alpha1", "ClusterNetworkPolicy",
                     "use policy.networking.k8s.io/v1alpha2"},
          std::tuple{"policy.networking.k8s.io/v1alpha2", "AdminNetworkPolicy",
                     "use policy.networking.k8s.io/v1alpha1"},
          std::tuple{"policy.networking.k8s.io/v1", "BaselineAdminNetworkPolicyList",
                     "use policy.networking.k8s.io/v1alpha1"},
          std::tuple{"security.istio.io/v1alpha1", "AuthorizationPolicy",
                     "use security.istio.io/v1"},
          std::tuple{"policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolcy", "spelling"},
          std::tuple{"security.istio.io/v1", "authorizationPolicy", "spelling"}}) {
        const DecodedFile file = decode(version, kind);
        ASSERT_EQ(file.problems.size(), 1U) << kind;
        EXPECT_EQ(file.problems[0].severity, Severity::kError);
        EXPECT_THAT(file.problems[0].remedy, HasSubstr(remedy));
        EXPECT_FALSE(file.unidentified.empty());
    }
    for (const auto& [version, kind] :
         {std::tuple{"security.istio.io/v1", "PeerAuthentication"},
          std::tuple{"security.istio.io/v1beta1", "RequestAuthenticationList"},
          std::tuple{"policy.networking.k8s.io/v1alpha1", "ExternalNetworkSet"},
          std::tuple{"networking.istio.io/v1", "VirtualService"}}) {
        const DecodedFile file = decode(version, kind);
        EXPECT_EQ(file.ignored.size(), 1U) << kind;
        EXPECT_TRUE(file.problems.empty()) << to_text(file.problems);
    }
}

// As the API server, which clears it.
TEST(DecodeTier, ANamespaceIsIgnored) {
    const DecodedFile file =
        decode_file("f.yaml",
                    "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n\n"
                    "metadata: {name: a, namespace: x}\nspec: {tier: Admin, priority: 1, subject: "
                    "{namespaces: {}}}\n");
    EXPECT_EQ(to_string(file.objects.at(0).key), "ClusterNetworkPolicy a");
    EXPECT_TRUE(has_problem(file, Severity::kWarning,
                            {"", "metadata.namespace", "the kind has no namespace", 4},
                            "ClusterNetworkPolicy a"));
}

Enforcement enforcement_of(const Object& object) {
    if (const auto* policy = std::get_if<NetworkPolicy>(&object)) return policy->enforcement;
    if (const auto* ns = std::get_if<Namespace>(&object)) {
        return ns->is_audited ? Enforcement::kAudited : Enforcement::kEnforced;
    }
    return std::get<TierPolicy>(object).enforcement;
}

TEST(DecodeAudit, LabelOrAnnotation) {
    struct Case {
        const char* metadata;
        bool is_audited;
        std::size_t warnings;
    };
    const std::vector<std::pair<const char*, const char*>> kinds = {
        {"policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy",
         "{tier: Admin, priority: 1, subject: {namespaces: {}}}"},
        {"policy.networking.k8s.io/v1alpha1, kind: BaselineAdminNetworkPolicy",
         "{subject: {namespaces: {}}}"},
        {"networking.k8s.io/v1, kind: NetworkPolicy", "{podSelector: {}}"},
        {"v1, kind: Namespace", "{}"}};
    for (const Case& expected : {
             Case{"annotations: {weir.io/audit: 'true'}", true, 0},
             Case{"labels: {weir.io/audit: 'true'}", true, 0},
             Case{"labels: {weir.io/audit: 'false'}", false, 0},
             Case{"labels: {weir.io/audit: 'yes'}", false, 1},
             Case{"annotations: {weir.io/audit: 'TRUE'}", false, 1},
             Case{"annotations: {weir.io/audit: ''}", false, 1},
             Case{"labels: {weir.io/audit: 'true'}, annotations: {weir.io/audit: 'true'}", true, 0},
             Case{"labels: {weir.io/audit: 'true'}, annotations: {weir.io/audit: 'false'}", false,
                  1},
             Case{"labels: {}, annotations: {weir.io/audi: 'true'}", false, 0},
         }) {
        for (const auto& [kind, spec] : kinds) {
            const DecodedFile file = decode_file(
                "f.yaml", std::string("{apiVersion: ") + kind + ", metadata: {name: default, " +
                              expected.metadata + "}, spec: " + spec + "}");
            ASSERT_TRUE(file.objects.at(0).object) << to_text(file.problems);
            EXPECT_EQ(enforcement_of(*file.objects[0].object) == Enforcement::kAudited,
                      expected.is_audited)
                << kind << expected.metadata;
            EXPECT_EQ(file.problems.size(), expected.warnings) << to_text(file.problems);
        }
    }
}

} // namespace
} // namespace weir
