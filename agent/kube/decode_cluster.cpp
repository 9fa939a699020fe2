// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_cluster.h"

#include <algorithm>

#include "agent/kube/decode_metadata.h"
#include "agent/kube/syntax.h"

namespace weir {
namespace {

constexpr const char* kNameLabel = "kubernetes.io/metadata.name";

// "The Kubernetes control plane sets an immutable label kubernetes.io/metadata.name on all
// namespaces. The value of the label is the namespace name."
void set_name_label(Labels& labels, const Symbol& name) {
    const auto at = std::ranges::lower_bound(
        labels, std::string(kNameLabel), {},
        [](const Label& label) -> const std::string& { return label.key.get(); });
    if (at != labels.end() && at->key.get() == kNameLabel) {
        at->value = name;
    } else {
        labels.insert(at, {Symbol(std::string(kNameLabel)), name});
    }
}

} // namespace

std::optional<Address> decode_address(const Field& field) {
    const auto text = field.string();
    if (!text) return std::nullopt;
    const auto address = Address::parse(*text);
    if (!address) field.error(quote(*text) + " is no IP address");
    return address;
}

Namespace decode_namespace(const Field& root, const ObjectName& name) {
    Namespace ns;
    ns.name = name.name;
    ns.labels = decode_metadata(root["metadata"]);
    set_name_label(ns.labels, ns.name);
    ns.is_audited = decode_enforcement(root["metadata"]) == Enforcement::kAudited;
    return ns;
}

Node decode_node(const Field& root, const ObjectName& name) {
    Node node;
    node.name = name.name;
    node.labels = decode_metadata(root["metadata"]);
    root["status"]["addresses"].each_item([&](const Field& item) {
        const std::string_view type = item["type"].string().value_or("");
        if (type != "InternalIP" && type != "ExternalIP") return;
        const auto address = decode_address(item["address"]);
        if (address && std::ranges::find(node.addresses, *address) == node.addresses.end()) {
            node.addresses.push_back(*address);
        }
    });
    return node;
}

} // namespace weir
