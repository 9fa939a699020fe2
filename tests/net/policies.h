// SPDX-License-Identifier: Apache-2.0
// Policies as YAML for tests, in the words that the tests use.
#pragma once

#include <string>

namespace weir {

// A NetworkPolicy of namespace "shop": the spec is given as flow YAML.
inline std::string policy(const std::string& name, const std::string& spec) {
    return "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  namespace: shop\n  "
           "name: " +
           name + "\nspec: " + spec + "\n";
}

// Nobody reaches the pods with this app label.
inline std::string deny_ingress(const std::string& name, const std::string& app) {
    return policy(name, "{podSelector: {matchLabels: {app: " + app + "}}, policyTypes: [Ingress]}");
}

// Pods labelled app=from reach those labelled app=to on the port.
inline std::string allow(const std::string& name, const std::string& from, const std::string& to,
                         int port, const std::string& protocol = "TCP") {
    return policy(name, "{podSelector: {matchLabels: {app: " + to +
                            "}}, ingress: [{from: [{podSelector: {matchLabels: {app: " + from +
                            "}}}], ports: [{port: " + std::to_string(port) +
                            ", protocol: " + protocol + "}]}]}");
}

} // namespace weir
