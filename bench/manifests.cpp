// SPDX-License-Identifier: Apache-2.0
#include "bench/manifests.h"

#include <array>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

namespace weir::bench {
namespace {

using Json = nlohmann::json;

std::string protocol_name(std::uint8_t protocol) {
    return protocol == 6 ? "TCP" : protocol == 17 ? "UDP" : "SCTP";
}

Json to_json(const Labels& labels) {
    Json json = Json::object();
    for (const Label& label : labels)
        json[label.key.get()] = label.value.get();
    return json;
}

// The workload's selectors are matchLabels only.
Json to_json(const Selector& selector) {
    Json labels = Json::object();
    for (const LabelRequirement& requirement : selector.requirements)
        labels[requirement.key.get()] = requirement.values.front().get();
    return {{"matchLabels", labels}};
}

Json to_json(const Peer& peer) {
    Json json = Json::object();
    if (peer.pods) json["podSelector"] = to_json(*peer.pods);
    if (peer.namespaces) json["namespaceSelector"] = to_json(*peer.namespaces);
    if (peer.block) {
        json["ipBlock"]["cidr"] = peer.block->cidr.to_string();
        for (const Cidr& except : peer.block->except)
            json["ipBlock"]["except"].push_back(except.to_string());
    }
    return json;
}

Json to_json(const Port& port) {
    Json json = {{"protocol", protocol_name(port.protocol)}};
    if (const auto* name = std::get_if<Symbol>(&port.number))
        json["port"] = name->get();
    else
        json["port"] = std::get<PortRange>(port.number).first;
    return json;
}

Json to_json(const std::vector<Rule>& rules, const char* peers) {
    Json list = Json::array();
    for (const Rule& rule : rules) {
        Json json = Json::object();
        for (const Peer& peer : rule.peers)
            json[peers].push_back(to_json(peer));
        for (const Port& port : rule.ports)
            json["ports"].push_back(to_json(port));
        list.push_back(json);
    }
    return list;
}

Json to_json(const Namespace& ns) {
    return {{"apiVersion", "v1"},
            {"kind", "Namespace"},
            {"metadata", {{"name", ns.name.get()}, {"labels", to_json(ns.labels)}}}};
}

Json to_json(const Pod& pod) {
    Json ports = Json::array(), ips = Json::array();
    for (const ContainerPort& port : pod.ports) {
        ports.push_back({{"name", port.name.get()},
                         {"containerPort", port.port},
                         {"protocol", protocol_name(port.protocol)}});
    }
    for (const Address& address : pod.addresses)
        ips.push_back({{"ip", address.to_string()}});
    return {{"apiVersion", "v1"},
            {"kind", "Pod"},
            {"metadata",
             {{"name", pod.name.name.get()},
              {"namespace", pod.name.ns.get()},
              {"labels", to_json(pod.labels)}}},
            {"spec",
             {{"nodeName", pod.node.get()},
              {"serviceAccountName", pod.service_account.get()},
              {"containers", {{{"name", "main"}, {"image", "server"}, {"ports", ports}}}}}},
            {"status", {{"phase", "Running"}, {"podIP", ips.front()["ip"]}, {"podIPs", ips}}}};
}

Json to_json(const NetworkPolicy& policy) {
    Json types = Json::array();
    if (policy.isolates_ingress) types.push_back("Ingress");
    if (policy.isolates_egress) types.push_back("Egress");
    return {{"apiVersion", "networking.k8s.io/v1"},
            {"kind", "NetworkPolicy"},
            {"metadata", {{"name", policy.name.name.get()}, {"namespace", policy.name.ns.get()}}},
            {"spec",
             {{"podSelector", to_json(policy.subjects)},
              {"policyTypes", types},
              {"ingress", to_json(policy.ingress, "from")},
              {"egress", to_json(policy.egress, "to")}}}};
}

Json to_json(const Node& node) {
    Json addresses = Json::array();
    for (const Address& address : node.addresses)
        addresses.push_back({{"type", "InternalIP"}, {"address", address.to_string()}});
    return {{"apiVersion", "v1"},
            {"kind", "Node"},
            {"metadata", {{"name", node.name.get()}, {"labels", to_json(node.labels)}}},
            {"status", {{"addresses", addresses}}}};
}

Json to_json(const PodSelection& selection) {
    if (selection.pods.requirements.empty()) return {{"namespaces", to_json(selection.namespaces)}};
    return {{"pods",
             {{"namespaceSelector", to_json(selection.namespaces)},
              {"podSelector", to_json(selection.pods)}}}};
}

Json to_json(const TierRule::Peer& peer) {
    if (const auto* pods = std::get_if<PodSelection>(&peer)) return to_json(*pods);
    if (const auto* nodes = std::get_if<NodeSelection>(&peer))
        return {{"nodes", to_json(nodes->nodes)}};
    return {{"networks", {std::get<Cidr>(peer).to_string()}}};
}

Json tier_port(const Port& port) {
    if (const auto* name = std::get_if<Symbol>(&port.number))
        return {{"destinationNamedPort", name->get()}};
    const char* protocol = port.protocol == 6 ? "tcp" : "udp";
    return {
        {protocol, {{"destinationPort", {{"number", std::get<PortRange>(port.number).first}}}}}};
}

Json to_json(const std::vector<TierRule>& rules, const char* peers) {
    constexpr std::array kActions{"Accept", "Deny", "Pass"};
    Json list = Json::array();
    for (const TierRule& rule : rules) {
        Json json = {{"name", rule.name.get()},
                     {"action", kActions.at(static_cast<std::size_t>(rule.action))}};
        for (const TierRule::Peer& peer : rule.peers)
            json[peers].push_back(to_json(peer));
        for (const Port& port : rule.ports)
            json["protocols"].push_back(tier_port(port));
        list.push_back(json);
    }
    return list;
}

Json to_json(const TierPolicy& policy) {
    return {{"apiVersion", "policy.networking.k8s.io/v1alpha2"},
            {"kind", "ClusterNetworkPolicy"},
            {"metadata", {{"name", policy.name.name.get()}}},
            {"spec",
             {{"tier", policy.tier == Tier::kAdmin ? "Admin" : "Baseline"},
              {"priority", policy.priority},
              {"subject", to_json(policy.subjects)},
              {"ingress", to_json(policy.ingress, "from")},
              {"egress", to_json(policy.egress, "to")}}}};
}

Json to_json(const std::vector<SourceMatch>& source) {
    Json json = Json::object();
    for (const SourceMatch& match : source) {
        std::string field =
            match.attribute == SourceMatch::Attribute::kPrincipal ? "principals" : "namespaces";
        if (match.is_negated)
            field = match.attribute == SourceMatch::Attribute::kPrincipal ? "notPrincipals"
                                                                          : "notNamespaces";
        for (const TextMatch& text : match.texts) {
            const bool is_prefix = text.kind == TextMatch::Kind::kPrefix;
            json[field].push_back(text.text.get() + (is_prefix ? "*" : ""));
        }
    }
    return {{"source", json}};
}

Json to_json(const AuthorizationRule& rule) {
    Json json = Json::object();
    for (const auto& source : rule.sources)
        json["from"].push_back(to_json(source));
    for (const auto& operation : rule.operations) {
        Json ports = Json::array();
        for (const std::uint16_t port : operation.front().ports)
            ports.push_back(std::to_string(port));
        json["to"].push_back({{"operation", {{"ports", ports}}}});
    }
    return json;
}

Json to_json(const AuthorizationPolicy& policy) {
    Json rules = Json::array();
    for (const AuthorizationRule& rule : policy.rules)
        rules.push_back(to_json(rule));
    return {{"apiVersion", "security.istio.io/v1"},
            {"kind", "AuthorizationPolicy"},
            {"metadata", {{"name", policy.name.name.get()}, {"namespace", policy.name.ns.get()}}},
            {"spec", {{"action", policy.is_deny ? "DENY" : "ALLOW"}, {"rules", rules}}}};
}

// The kinds of the workload.
Json to_json(const Object& object) {
    return std::visit([](const auto& typed) { return to_json(typed); }, object);
}

} // namespace

void write_manifests(const Change& objects, const std::string& directory) {
    std::map<std::string, Json> files;
    for (const Object& object : objects.upserts) {
        const auto& ns = key_of(object).name.ns.get();
        Json& items = files[ns.empty() ? "cluster" : ns];
        items.push_back(to_json(object));
    }
    for (const auto& [name, items] : files) {
        std::ofstream file(directory + "/" + name + ".json");
        file << Json{{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}}.dump(1);
    }
}

} // namespace weir::bench
