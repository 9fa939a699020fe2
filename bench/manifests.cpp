// SPDX-License-Identifier: Apache-2.0
#include "bench/manifests.h"

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
    return {{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", node.name.get()}}}};
}

std::string namespace_of(const Object& object) {
    if (const auto* pod = std::get_if<Pod>(&object)) return pod->name.ns;
    if (const auto* policy = std::get_if<NetworkPolicy>(&object)) return policy->name.ns;
    return "cluster";
}

// The kinds of the workload.
Json to_json(const Object& object) {
    if (const auto* ns = std::get_if<Namespace>(&object)) return to_json(*ns);
    if (const auto* node = std::get_if<Node>(&object)) return to_json(*node);
    if (const auto* pod = std::get_if<Pod>(&object)) return to_json(*pod);
    return to_json(std::get<NetworkPolicy>(object));
}

} // namespace

void write_manifests(const Change& objects, const std::string& directory) {
    std::map<std::string, Json> files;
    for (const Object& object : objects.upserts) {
        Json& items = files[namespace_of(object)];
        items.push_back(to_json(object));
    }
    for (const auto& [name, items] : files) {
        std::ofstream file(directory + "/" + name + ".json");
        file << Json{{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}}.dump(1);
    }
}

} // namespace weir::bench
