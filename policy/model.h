// SPDX-License-Identifier: Apache-2.0
// The typed objects that policy is compiled from, already validated and with the API server's
// defaults applied. Plain values: whoever decodes them refuses bad input, so deciding has no
// errors.
#pragma once

#include <boost/flyweight.hpp>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "policy/address.h"

namespace weir {

// An interned, reference-counted string: equal text is stored once in the process.
using Symbol = boost::flyweight<std::string>;

// Where an object or a rule was written: a file and line for manifests, empty and 0 for the API.
struct Origin {
    Symbol file;
    std::uint32_t line = 0;

    bool operator==(const Origin&) const = default;
};

struct ObjectName {
    Symbol ns; // empty for cluster-scoped kinds
    Symbol name;

    bool operator==(const ObjectName&) const = default;
};

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
    Labels labels; // with kubernetes.io/metadata.name
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

struct Pod {
    ObjectName name;
    Symbol node; // empty until scheduled
    Symbol service_account;
    Labels labels;
    std::vector<Address> addresses; // status.podIPs
    std::vector<ContainerPort> ports;
    bool is_host_network = false; // its addresses are the node's: no selector selects it
    bool is_terminated = false;   // phase Succeeded or Failed: its addresses may be another's
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

// networking.k8s.io/v1 NetworkPolicy.
struct NetworkPolicy {
    ObjectName name;
    Selector subjects; // spec.podSelector
    bool isolates_ingress = false;
    bool isolates_egress = false;
    std::vector<Rule> ingress;
    std::vector<Rule> egress;
    Origin origin;

    bool operator==(const NetworkPolicy&) const = default;
};

using Object = std::variant<Namespace, Node, Pod, NetworkPolicy>;

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

enum class Kind { kNamespace, kNode, kPod, kNetworkPolicy };

// Identity of an object over its life.
struct ObjectKey {
    Kind kind = Kind::kPod;
    ObjectName name;

    bool operator==(const ObjectKey&) const = default;
};

// What a source of desired state (manifests, the API) reports: objects that are new or different,
// and keys of those that are gone. One change is applied as one revision.
struct Change {
    std::vector<SharedObject> upserts;
    std::vector<ObjectKey> erasures;

    bool is_empty() const { return upserts.empty() && erasures.empty(); }
};

} // namespace weir
