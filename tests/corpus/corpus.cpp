// SPDX-License-Identifier: Apache-2.0
#include "tests/corpus/corpus.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace weir {
namespace {

using nlohmann::json;

void append_cells(const json& table, std::vector<CorpusCell>& cells) {
    const auto columns = table.at("columns").get<std::vector<std::string>>();
    for (const auto& [source, row] : table.at("rows").items()) {
        const auto expected = row.get<std::string>();
        for (std::size_t i = 0; i < expected.size(); ++i) {
            if (expected[i] == '-' || expected[i] == '?') continue;
            for (const auto& family : table.at("families"))
                cells.push_back({source, columns.at(i), table.at("port").get<int>(),
                                 table.at("protocol").get<std::string>(), family.get<std::string>(),
                                 expected[i]});
        }
    }
}

CorpusStep decode_step(const json& step, const json& cluster) {
    CorpusStep decoded;
    const auto own = step.find("cluster");
    decoded.cluster = own != step.end() && !own->is_null() ? *own : cluster;
    decoded.policies = step.at("policies").get<std::string>();
    for (const auto& rejected : step.value("rejected", json::array()))
        decoded.rejected.push_back(rejected.at("object").get<std::string>());
    for (const auto& table : step.at("expect"))
        append_cells(table, decoded.cells);
    return decoded;
}

CorpusCase decode_case(const json& object) {
    CorpusCase decoded{
        object.at("id").get<std::string>(), object.at("suite").get<std::string>(), {}};
    for (const auto& step : object.at("steps"))
        decoded.steps.push_back(decode_step(step, object.at("cluster")));
    return decoded;
}

std::vector<CorpusCase> read_cases() {
    std::vector<CorpusCase> cases;
    const std::string path = std::string(WEIR_CORPUS_DIR) + "/cases.jsonl";
    std::ifstream file(path);
    if (!file) {
        std::fprintf(stderr, "cannot read %s\n", path.c_str());
        std::abort();
    }
    for (std::string line; std::getline(file, line);)
        if (!line.empty()) cases.push_back(decode_case(json::parse(line)));
    return cases;
}

json node_object(const json& node) {
    json addresses = json::array();
    for (const auto& ip : node.at("ips"))
        addresses.push_back({{"type", "InternalIP"}, {"address", ip}});
    addresses.push_back({{"type", "Hostname"}, {"address", node.at("name")}});
    return {
        {"apiVersion", "v1"},
        {"kind", "Node"},
        {"metadata", {{"name", node.at("name")}, {"labels", node.value("labels", json::object())}}},
        {"status", {{"addresses", addresses}}}};
}

json namespace_object(const json& ns) {
    return {{"apiVersion", "v1"},
            {"kind", "Namespace"},
            {"metadata", {{"name", ns.at("name")}, {"labels", ns.value("labels", json::object())}}},
            {"status", {{"phase", "Active"}}}};
}

json pod_object(const json& pod) {
    const bool is_host_network = pod.value("hostNetwork", false);
    json ports = json::array();
    for (const auto& port : pod.at("ports")) {
        json decoded = {{"containerPort", port.at("port")}, {"protocol", port.at("protocol")}};
        if (port.contains("name") && !port["name"].is_null()) decoded["name"] = port["name"];
        if (is_host_network) decoded["hostPort"] = port.at("port");
        ports.push_back(decoded);
    }
    json spec = {
        {"nodeName", pod.at("node")},
        {"containers",
         json::array({{{"name", "main"}, {"image", "example/server"}, {"ports", ports}}})}};
    if (is_host_network) spec["hostNetwork"] = true;
    json ips = json::array();
    for (const auto& ip : pod.at("ips"))
        ips.push_back({{"ip", ip}});
    return {{"apiVersion", "v1"},
            {"kind", "Pod"},
            {"metadata",
             {{"namespace", pod.at("namespace")},
              {"name", pod.at("name")},
              {"labels", pod.value("labels", json::object())}}},
            {"spec", spec},
            {"status",
             {{"phase", pod.value("phase", "Running")},
              {"podIP", pod.at("ips").at(0)},
              {"podIPs", ips}}}};
}

// The addresses of an end, whatever it is.
json end_addresses(const json& cluster, const std::string& end) {
    const auto slash = end.find('/');
    const std::string group = end.substr(0, slash);
    const std::string name = end.substr(slash + 1);
    if (group == "node" || group == "ext") {
        for (const auto& host : cluster.at(group == "node" ? "nodes" : "externals"))
            if (host.at("name") == name) return host.at("ips");
        return json::array();
    }
    for (const auto& pod : cluster.at("pods"))
        if (pod.at("namespace") == group && pod.at("name") == name) return pod.at("ips");
    return json::array();
}

} // namespace

std::string CorpusCell::to_string() const {
    return source + " -> " + destination + ":" + std::to_string(port) + "/" + protocol + " " +
           family;
}

const std::vector<CorpusCase>& corpus_cases() {
    static const std::vector<CorpusCase> cases = read_cases();
    return cases;
}

const CorpusCase& corpus_case(std::string_view id) {
    const auto& cases = corpus_cases();
    const auto found =
        std::find_if(cases.begin(), cases.end(), [&](const CorpusCase& c) { return c.id == id; });
    if (found == cases.end()) std::abort();
    return *found;
}

nlohmann::json cluster_objects(const nlohmann::json& cluster) {
    json items = json::array();
    for (const auto& node : cluster.at("nodes"))
        items.push_back(node_object(node));
    for (const auto& ns : cluster.at("namespaces"))
        items.push_back(namespace_object(ns));
    for (const auto& pod : cluster.at("pods"))
        items.push_back(pod_object(pod));
    return {{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}};
}

std::string end_address(const nlohmann::json& cluster, const std::string& end,
                        std::string_view family) {
    for (const auto& ip : end_addresses(cluster, end)) {
        const bool is_v6 = ip.get<std::string>().find(':') != std::string::npos;
        if (is_v6 == (family == "IPv6")) return ip.get<std::string>();
    }
    return {};
}

} // namespace weir
