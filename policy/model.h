// SPDX-License-Identifier: Apache-2.0
// The typed objects that policy is compiled from, already validated and with the API server's
// defaults applied. Plain values: whoever decodes them refuses bad input, so deciding has no
// errors.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "policy/address.h"
#include "policy/object_name.h"
#include "policy/service_model.h"
#include "policy/symbol.h"

namespace weir {

struct Label {
    Symbol key;
    Symbol value;

    bool operator==(const Label&) const = default;
};
using Labels = std::vector<Label>; // sorted by key text, keys unique

// metav1.LabelSelectorRequirement. matchLabels entries are kIn with one value.
struct LabelRequirement {
    enum class Operator { kIn, kNotIn, kExists, kDoesNotExist };

    Symbol key;
    Operator op = Operator::kExists;
    std::vector<Symbol> values;

    bool operator==(const LabelRequirement&) const = default;
};

// metav1.LabelSelector: all requirements hold. Empty selects everything.
struct Selector {
    std::vector<LabelRequirement> requirements;

    bool operator==(const Selector&) const = default;
};

struct Namespace {
    Symbol name;
    Labels labels;           // with kubernetes.io/metadata.name
    bool is_audited = false; // weir.io/audit: every policy is, as far as it selects pods in here
    Origin origin;

    bool operator==(const Namespace&) const = default;
};

struct Node {
    Symbol name;
    Labels labels;
    std::vector<Address> addresses; // InternalIP and ExternalIP of status.addresses
    Origin origin;

    bool operator==(const Node&) const = default;
};

struct ContainerPort {
    Symbol name; // may be empty
    std::uint16_t port = 0;
    std::uint8_t protocol = 0; // IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP

    bool operator==(const ContainerPort&) const = default;
};

// One that is exposed on the node.
struct HostPort {
    std::optional<Address> address; // hostIP; none: all of the node's
    std::uint16_t host_port = 0;
    std::uint16_t port = 0; // the container's
    std::uint8_t protocol = 0;

    bool operator==(const HostPort&) const = default;
};

struct Pod {
    ObjectName name;
    Symbol node; // empty until scheduled
    Symbol service_account;
    Labels labels;
    std::vector<Address> addresses; // status.podIPs
    std::vector<ContainerPort> ports;
    std::vector<HostPort> host_ports;
    bool is_host_network = false; // its addresses are the node's: no selector selects it
    bool is_terminated = false;   // phase Succeeded or Failed: its addresses may be another's
    // Tells a pod from an earlier one of its name; of a mirror pod it is the static pod's, by which
    // the kubelet calls it. Zeros: not known.
    std::array<std::uint8_t, 16> uid{};
    Origin origin;

    bool operator==(const Pod&) const = default;
};

// networking.k8s.io/v1 IPBlock. Pod addresses match like any other.
struct IpBlock {
    Cidr cidr;
    std::vector<Cidr> except;

    bool operator==(const IpBlock&) const = default;
};

// networking.k8s.io/v1 NetworkPolicyPeer: either a block, or pods and/or namespaces.
struct Peer {
    std::optional<Selector> pods;
    std::optional<Selector> namespaces;
    std::optional<IpBlock> block;

    bool operator==(const Peer&) const = default;
};

// networking.k8s.io/v1 NetworkPolicyPort.
struct PortRange {
    std::uint16_t first = 0;
    std::uint16_t last = 65535;

    bool operator==(const PortRange&) const = default;
};
struct Port {
    std::uint8_t protocol = 0; // IPPROTO_*
    std::variant<PortRange, Symbol>
        number; // a range (all ports when the field is missing) or a name

    bool operator==(const Port&) const = default;
};

struct Rule {
    std::vector<Peer> peers; // empty: any peer
    std::vector<Port> ports; // empty: any port and any protocol
    std::uint32_t line = 0;  // in the policy's file

    bool operator==(const Rule&) const = default;
};

// How a policy takes part in a verdict.
enum class Enforcement {
    kEnforced,
    kAudited, // weir.io/audit: what only this policy denies passes, is counted and recorded
    kDryRun   // istio.io/dry-run: decides nothing; what it alone would deny is recorded as audited
};

// networking.k8s.io/v1 NetworkPolicy.
struct NetworkPolicy {
    ObjectName name;
    Selector subjects; // spec.podSelector
    bool isolates_ingress = false;
    bool isolates_egress = false;
    std::vector<Rule> ingress;
    std::vector<Rule> egress;
    Enforcement enforcement = Enforcement::kEnforced;
    Origin origin;

    bool operator==(const NetworkPolicy&) const = default;
};

// Pods by their namespaces' labels and their own: both have to hold.
struct PodSelection {
    Selector namespaces;
    Selector pods;

    bool operator==(const PodSelection&) const = default;
};

// Nodes by their labels: their addresses.
struct NodeSelection {
    Selector nodes;

    bool operator==(const NodeSelection&) const = default;
};

enum class Tier { kAdmin, kBaseline };
enum class TierAction { kAccept, kDeny, kPass };

// policy.networking.k8s.io ClusterNetworkPolicyIngressRule and -EgressRule. A rule with a peer that
// this version does not know fails closed: the decoder makes an Accept rule match nothing and a
// Deny or Pass rule deny everything.
struct TierRule {
    using Peer = std::variant<PodSelection, NodeSelection, Cidr>;

    Symbol name; // may be empty
    TierAction action = TierAction::kDeny;
    bool is_any_peer = false;
    std::vector<Peer> peers; // one of them has to hold, else the rule matches nothing
    std::vector<Port> ports; // empty: any port and any protocol
    std::uint32_t line = 0;  // in the policy's file

    bool operator==(const TierRule&) const = default;
};

// A cluster-scoped policy of policy.networking.k8s.io: ClusterNetworkPolicy (v1alpha2),
// AdminNetworkPolicy or BaselineAdminNetworkPolicy (v1alpha1).
struct TierPolicy {
    enum class Api { kClusterNetworkPolicy, kAdminNetworkPolicy, kBaselineAdminNetworkPolicy };

    Api api = Api::kClusterNetworkPolicy;
    ObjectName name; // without namespace
    Tier tier = Tier::kAdmin;
    std::uint16_t priority = 0; // 0 to 1000; the lowest decides first
    PodSelection subjects;      // host-network pods are never among them
    std::vector<TierRule> ingress;
    std::vector<TierRule> egress;
    Enforcement enforcement = Enforcement::kEnforced;
    Origin origin;

    bool operator==(const TierPolicy&) const = default;
};

// A text that security.istio.io matches: "abc", "abc*", "*abc" or "*".
struct TextMatch {
    enum class Kind { kExact, kPrefix, kSuffix, kPresent };

    Kind kind = Kind::kExact;
    Symbol text; // without the asterisk

    bool operator==(const TextMatch&) const = default;
};

// One attribute of a connection's source against the values of a field: one of them has to match
// or, negated, none. An address without workload identity (outside the cluster, or shared by
// several pods) has no principal, namespace or service account: no text matches it, "*" neither.
struct SourceMatch {
    enum class Attribute {
        kPrincipal,      // <trust domain>/ns/<namespace>/sa/<service account>
        kNamespace,      // of the workload
        kServiceAccount, // <namespace>/<service account>
        kAddress
    };

    Attribute attribute = Attribute::kPrincipal;
    bool is_negated = false;
    std::vector<TextMatch> texts; // all but kAddress
    std::vector<Cidr> blocks;     // kAddress

    bool operator==(const SourceMatch&) const = default;
};

// Destination ports (or addresses) of an operation or condition: one of them or, negated, none.
struct DestinationMatch {
    bool is_negated = false;
    std::vector<std::uint16_t> ports; // empty: it is about addresses
    std::vector<Cidr> addresses;      // of the workload that the policy selects

    bool operator==(const DestinationMatch&) const = default;
};

// security.istio.io/v1 Rule, what layer 4 can judge of it. Every source, operation and condition is
// a conjunction. An ALLOW rule with fields of layer 7 is left out by the decoder; a DENY rule loses
// those fields.
struct AuthorizationRule {
    std::uint32_t index = 0;                               // in the manifest
    std::vector<std::vector<SourceMatch>> sources;         // one has to hold; empty: any source
    std::vector<std::vector<DestinationMatch>> operations; // one has to hold; empty: any
    std::vector<SourceMatch> source_conditions;            // all hold
    std::vector<DestinationMatch> destination_conditions;  // all hold
    std::uint32_t line = 0;

    bool operator==(const AuthorizationRule&) const = default;
};

// security.istio.io/v1 AuthorizationPolicy, actions ALLOW and DENY. It judges TCP alone, as in
// Istio. In the root namespace it is for the workloads of all namespaces.
struct AuthorizationPolicy {
    ObjectName name;
    Selector subjects; // spec.selector.matchLabels; empty: every workload
    bool is_deny = false;
    std::vector<AuthorizationRule> rules; // none: an ALLOW policy admits nothing
    Enforcement enforcement = Enforcement::kEnforced;
    Origin origin;

    bool operator==(const AuthorizationPolicy&) const = default;
};

using Object = std::variant<Namespace, Node, Pod, NetworkPolicy, TierPolicy, AuthorizationPolicy,
                            Service, EndpointSlice, TrafficRoute, ReferenceGrant, DestinationRule>;

// An object that does not change any more, stored once for all who keep it. A cluster has many.
class SharedObject {
public:
    template <typename Value>
        requires(!std::same_as<Value, SharedObject> && std::convertible_to<Value, Object>)
    SharedObject(Value value) : object_(std::make_shared<const Object>(std::move(value))) {}

    const Object& operator*() const { return *object_; }
    operator const Object&() const { return *object_; }
    // Null when it is of another kind.
    template <typename Typed>
    std::shared_ptr<const Typed> as() const {
        const auto* typed = std::get_if<Typed>(object_.get());
        return typed == nullptr ? nullptr : std::shared_ptr<const Typed>(object_, typed);
    }

private:
    std::shared_ptr<const Object> object_;
};

enum class Kind {
    kNamespace,
    kNode,
    kPod,
    kNetworkPolicy,
    kClusterNetworkPolicy,
    kAdminNetworkPolicy,
    kBaselineAdminNetworkPolicy,
    kAuthorizationPolicy,
    kService,
    kEndpointSlice,
    kHttpRoute,
    kGrpcRoute,
    kTcpRoute,
    kReferenceGrant,
    kDestinationRule
};
inline constexpr std::array kKinds{Kind::kNamespace,
                                   Kind::kNode,
                                   Kind::kPod,
                                   Kind::kNetworkPolicy,
                                   Kind::kClusterNetworkPolicy,
                                   Kind::kAdminNetworkPolicy,
                                   Kind::kBaselineAdminNetworkPolicy,
                                   Kind::kAuthorizationPolicy,
                                   Kind::kService,
                                   Kind::kEndpointSlice,
                                   Kind::kHttpRoute,
                                   Kind::kGrpcRoute,
                                   Kind::kTcpRoute,
                                   Kind::kReferenceGrant,
                                   Kind::kDestinationRule};

// Of kinds that exist for a purpose alone: Namespace, Node and Pod serve both.
bool is_policy_kind(Kind kind);
bool is_service_kind(Kind kind);

// Identity of an object over its life.
struct ObjectKey {
    Kind kind = Kind::kPod;
    ObjectName name;

    bool operator==(const ObjectKey&) const = default;
};

ObjectKey key_of(const Object& object);
// The kind as it is written in manifests; "NetworkPolicy shop/deny".
const char* to_string(Kind kind);
std::string to_string(const ObjectKey& key);

// What a source of desired state (manifests, the API) reports: objects that are new or different,
// and keys of those that are gone. One change is applied as one revision.
struct Change {
    std::vector<SharedObject> upserts;
    std::vector<ObjectKey> erasures;

    bool is_empty() const { return upserts.empty() && erasures.empty(); }
    // Whether the predicate holds for the kind of one of its objects.
    bool has_kind(bool (*predicate)(Kind)) const;
};

} // namespace weir
