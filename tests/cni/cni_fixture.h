// SPDX-License-Identifier: Apache-2.0
// Two nodes, one with the bridge plugin and one with ptp, both with weir-cni at the end of the
// chain; sandboxes that come and go; and the pods' objects, as the API server would serve them
// before their addresses are known.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/cni/cni_runtime.h"
#include "tests/support/lab.h"

namespace weir {

class CniTest : public testing::Test {
protected:
    // A sandbox with its namespace; serves TCP 80.
    struct Pod {
        Sandbox sandbox;
        std::unique_ptr<Netns> netns;
        CniOutcome added;

        std::string v4() const { return added.address(0); }
        std::string v6() const { return added.address(1); }
    };

    CniTest()
        : bridged_(lab_.add_node("n1", Wiring::kBridged)),
          routed_(lab_.add_node("n2", Wiring::kRouted)) {
        // A bridge takes the lowest address of its ports, and the plugin's CHECK wants the first.
        bridged_.netns->ip("link set pods address 02:00:00:00:00:01\n");
        lab_.write_objects();
        object("Namespace", "shop", nlohmann::json::object());
    }

    Pod make(const std::string& name, const std::string& uid = {}) {
        const std::string id = "sandbox" + std::to_string(++sandboxes_);
        Pod pod;
        pod.netns = std::make_unique<Netns>(id);
        pod.sandbox = {
            .container = id, .ns = "shop", .name = name, .uid = uid, .netns = pod.netns->path()};
        lab_.servers().listen(*pod.netns, 80, IPPROTO_TCP);
        return pod;
    }

    // With its object and by the chain; a failure ends the test.
    Pod start(CniRuntime& runtime, const std::string& name, const std::string& app) {
        pod_object(name, app);
        Pod pod = make(name);
        pod.added = runtime.add(pod.sandbox);
        EXPECT_TRUE(pod.added.is_ok) << pod.added.failed << " " << pod.added.result;
        if (!pod.added.is_ok) std::abort(); // nothing makes sense without
        return pod;
    }

    void object(const std::string& kind, const std::string& name, nlohmann::json rest) {
        nlohmann::json object = {{"apiVersion", "v1"}, {"kind", kind}};
        object["metadata"]["name"] = name;
        if (kind != "Namespace") object["metadata"]["namespace"] = "shop";
        object.update(rest, true);
        lab_.write_manifest(kind + "-" + name + ".json", object.dump());
    }

    void pod_object(const std::string& name, const std::string& app, const std::string& uid = {}) {
        nlohmann::json rest = {{"metadata", {{"labels", {{"app", app}}}}},
                               {"spec", {{"nodeName", "n1"}}}};
        if (!uid.empty()) rest["metadata"]["uid"] = uid;
        object("Pod", name, rest);
    }

    // Names of the pods, sorted.
    static std::vector<std::string> endpoints(const LabNode& node) {
        std::vector<std::string> names;
        const auto listed = node.weir_json({"endpoint", "list"});
        for (const auto& endpoint : listed["endpoints"])
            names.push_back(endpoint["pod"]);
        std::ranges::sort(names);
        return names;
    }

    // The families over which it works: "46", "4", "6" or "none".
    static std::string reach(const Pod& from, const Pod& to) {
        const auto answers = probe_all({{from.netns.get(), to.v4(), 80, IPPROTO_TCP},
                                        {from.netns.get(), to.v6(), 80, IPPROTO_TCP}});
        const std::string families = std::string(answers[0] ? "4" : "") + (answers[1] ? "6" : "");
        return families.empty() ? "none" : families;
    }

    Lab lab_;
    LabNode& bridged_;
    LabNode& routed_;

private:
    int sandboxes_ = 0;
};

// Only pods with app=client reach pods with app=server.
inline constexpr const char* kOnlyClients = R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: only-clients}
spec:
  podSelector: {matchLabels: {app: server}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]
)";

} // namespace weir
