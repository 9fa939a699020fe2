// SPDX-License-Identifier: Apache-2.0
#include "tests/net/services_fixture.h"

namespace weir {
namespace {

std::string endpoint_yaml(const LabPod& pod, const std::string& address) {
    return "- {addresses: ['" + address + "'], nodeName: " + pod.node + "}\n";
}

} // namespace

std::string service_yaml(const std::string& name, const std::string& v4, const std::string& v6,
                         const std::string& spec) {
    return "apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: " + name +
           "}\nspec:\n  clusterIP: " + v4 + "\n  clusterIPs: [" + v4 + ", '" + v6 + "']\n" + spec +
           "  ports:\n  - {name: http, port: 80}\n  - {name: dns, port: 53, protocol: UDP}\n"
           "---\n";
}

std::string slices_yaml(const std::string& service, const std::vector<const LabPod*>& pods) {
    std::string text;
    for (const bool is_v4 : {true, false}) {
        text +=
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {namespace: shop, "
            "name: " +
            service + (is_v4 ? "-v4" : "-v6") +
            ", labels: {kubernetes.io/service-name: " + service +
            "}}\naddressType: " + (is_v4 ? "IPv4" : "IPv6") +
            "\nports:\n- {name: http, port: 80}\n- {name: dns, port: 53, protocol: UDP}\n"
            "endpoints:" +
            (pods.empty() ? " []\n" : "\n");
        for (const auto* pod : pods)
            text += endpoint_yaml(*pod, is_v4 ? pod->v4 : pod->v6);
        text += "---\n";
    }
    return text;
}

std::string split_yaml(int old_weight, int new_weight) {
    return "apiVersion: gateway.networking.k8s.io/v1\nkind: TCPRoute\nmetadata: {namespace: shop, "
           "name: split}\nspec:\n  parentRefs: [{group: '', kind: Service, name: web}]\n  rules:\n"
           "  - backendRefs: [{name: old, port: 80, weight: " +
           std::to_string(old_weight) +
           "}, {name: new, port: 80, weight: " + std::to_string(new_weight) + "}]\n";
}

ServicesNetTest::ServicesNetTest()
    : far_(lab_.add_node("n1", Wiring::kBridged)),
      near_(lab_.add_node("n2", Wiring::kRouted)),
      one_(add(far_, "one")),
      two_(add(near_, "two")),
      client_(add(near_, "client")) {
    for (const auto* pod : {&one_, &two_}) {
        lab_.servers().listen(*pod->netns, 80, IPPROTO_TCP);
        lab_.servers().listen(*pod->netns, 53, IPPROTO_UDP);
    }
    lab_.write_objects();
    lab_.write_manifest("services.yaml", service_yaml("web", "10.96.0.1", "fd00:96::1"));
    lab_.write_manifest("slices.yaml", slices_yaml("web", {&one_, &two_}));
    far_.start_agent();
    start_near();
    lab_.add_endpoints();
}

LabPod& ServicesNetTest::add(LabNode& node, const std::string& name) {
    Lab::PodOptions options;
    options.labels["app"] = name;
    return lab_.add_pod(node, "shop/" + name, options);
}

void ServicesNetTest::start_near() {
    near_.start_agent(
        {"--services", "on", "--cgroup", is_per_packet() ? "none" : cgroup_.path().string()});
}

std::string ServicesNetTest::reach(int protocol, std::uint16_t port) const {
    const auto answers = probe_all({{client_.netns.get(), "10.96.0.1", port, protocol},
                                    {client_.netns.get(), "fd00:96::1", port, protocol}});
    return std::string(answers[0] ? "4" : "") + (answers[1] ? "6" : "");
}

std::map<std::string, int> ServicesNetTest::opened() const {
    std::map<std::string, int> result;
    const auto answer = near_.weir_json({"services", "shop/web"});
    for (const auto& port : answer["ports"]) {
        if (port["protocol"] != "TCP") continue;
        for (const auto& backend : port["backends"])
            result[backend["address"]] = std::stoi(backend["opened"].get<std::string>());
    }
    return result;
}

nlohmann::json ServicesNetTest::backend_of(const std::string& address) const {
    const auto answer = near_.weir_json({"services", "shop/web"});
    for (const auto& port : answer["ports"]) {
        if (port["protocol"] != "TCP") continue;
        for (const auto& backend : port["backends"]) {
            if (backend["address"] == address) return backend;
        }
    }
    return {};
}

int ServicesNetTest::answered(int times) const {
    const std::vector<Probe> probes(50, {client_.netns.get(), "10.96.0.1", 80, IPPROTO_TCP});
    int count = 0;
    for (int i = 0; i < times / 50; ++i) {
        for (const bool answer : probe_all(probes))
            count += answer ? 1 : 0;
    }
    return count;
}

} // namespace weir
