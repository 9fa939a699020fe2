// SPDX-License-Identifier: Apache-2.0
#include "tests/net/equivalent_policies.h"

#include <utility>

namespace weir {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kGhosts = 24;
const std::vector<std::string> kTested{"client", "neighbour", "server"};

// How a side is written.
enum Form : std::size_t { kOnePolicy, kSplit, kAdmin, kPass, kBaseline, kAuthorization, kForms };

Json labelled(const std::string& key, const std::string& value) {
    return {{"matchLabels", {{key, value}}}};
}

std::string key_of(const Json& object) {
    return object["kind"].get<std::string>() + " " + object["metadata"].value("namespace", "") +
           "/" + object["metadata"]["name"].get<std::string>();
}

Json block(const std::string& cidr, const std::vector<std::string>& except = {}) {
    Json result = {{"cidr", cidr}};
    if (!except.empty()) result["except"] = except;
    return {{"ipBlock", result}};
}

Json protocols(const Permission& permission) {
    Json ports = Json::object();
    ports[permission.protocol == "TCP" ? "tcp" : "udp"] = {
        {"destinationPort", {{"number", permission.port}}}};
    return Json::array({ports});
}

Json pod_object(const std::string& ns, const std::string& name, const std::string& node,
                const Json& labels, const std::vector<std::string>& addresses) {
    Json ips = Json::array();
    for (const auto& address : addresses)
        ips.push_back({{"ip", address}});
    return {{"apiVersion", "v1"},
            {"kind", "Pod"},
            {"metadata", {{"namespace", ns}, {"name", name}, {"labels", labels}}},
            {"spec", {{"nodeName", node}, {"containers", Json::array({{{"name", "main"}}})}}},
            {"status", {{"phase", "Running"}, {"podIPs", ips}}}};
}

} // namespace

EquivalentPolicies::EquivalentPolicies(Lab& lab, std::vector<Side> sides, std::uint64_t seed)
    : lab_(lab),
      sides_(std::move(sides)),
      random_(seed),
      ghosts_(kGhosts),
      forms_(sides_.size(), kOnePolicy) {
    for (const auto& name : kTested)
        roles_[name] = name + "-0";
    for (std::size_t i = 0; i < kGhosts; ++i)
        move_ghosts();
    build();
}

std::string EquivalentPolicies::word(const std::string& stem, std::size_t end) {
    return stem + std::to_string(below(end));
}

std::string EquivalentPolicies::manifest() const {
    Json items = Json::array();
    for (const auto& [key, object] : objects_)
        items.push_back(object);
    return Json{{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}}.dump();
}

std::size_t EquivalentPolicies::change() {
    const auto before = std::exchange(objects_, {});
    for (auto& form : forms_)
        if (chance(60)) form = below(kForms);
    if (chance(50)) relabel();
    if (chance(50)) move_ghosts();
    build();
    std::size_t changed = 0;
    for (const auto& [key, object] : objects_)
        changed += !before.contains(key) || before.at(key) != object;
    for (const auto& [key, object] : before)
        changed += !objects_.contains(key);
    return changed;
}

void EquivalentPolicies::add(Json object) {
    auto key = key_of(object);
    objects_.emplace(std::move(key), std::move(object));
}

void EquivalentPolicies::relabel() {
    for (const auto& name : kTested)
        if (chance(50)) roles_[name] = word(name + "-", 3);
    environment_ = word("e", 3);
}

// Pods without traffic, whose addresses move between the classes that the policies make.
void EquivalentPolicies::move_ghosts() {
    for (auto count = 1 + below(4); count > 0; --count) {
        const auto number = below(kGhosts);
        const Json labels = {{"app", word("ghost-", 3)}, {"role", word("ghost-", 3)}};
        ghosts_[number] =
            pod_object(chance(50) ? "shop" : "depot", "ghost-" + std::to_string(number), "n9",
                       labels, {"10.244.9." + std::to_string(below(60))});
    }
}

void EquivalentPolicies::build() {
    objects_.clear();
    const Json shop = {{"env", environment_}, {"team", "shop"}};
    add({{"apiVersion", "v1"},
         {"kind", "Namespace"},
         {"metadata", {{"name", "shop"}, {"labels", shop}}}});
    for (const auto& pod : lab_.pods())
        add(pod_object(pod->ns, pod->name, pod->node,
                       {{"app", pod->name}, {"role", roles_[pod->name]}}, {pod->v4, pod->v6}));
    for (const auto& ghost : ghosts_)
        if (!ghost.is_null()) add(ghost);
    for (std::size_t i = 0; i < sides_.size(); ++i)
        write_side(sides_[i], i);
}

void EquivalentPolicies::write_side(const Side& side, std::size_t number) {
    const auto name = "side-" + std::to_string(number);
    // Without a policy that selects the pod, the baseline decides: nothing may select it there.
    if (forms_[number] != kPass && forms_[number] != kBaseline && chance(50))
        write_decoration(side, name + word("-more-", 3));
    switch (forms_[number]) {
        case kSplit:
            return write_network_policies(side, name, true);
        case kAdmin:
            return write_admin(side, name);
        case kPass:
            return write_pass(side, name);
        case kBaseline:
            return write_baseline(side, name);
        case kAuthorization:
            if (side.is_ingress) return write_authorization(side, name);
            break;
        default:
            break;
    }
    write_network_policies(side, name, false);
}

// The pod and none of the other tested ones.
Json EquivalentPolicies::peers(const std::string& app) {
    const auto& pod = lab_.pod("shop/" + app);
    std::vector<std::string> others4;
    std::vector<std::string> others6;
    for (const auto& other : lab_.pods()) {
        if (other.get() == &pod) continue;
        others4.push_back(other->v4 + "/32");
        others6.push_back(other->v6 + "/128");
    }
    switch (below(6)) {
        case 0:
            return Json::array({block(pod.v4 + "/32"), block(pod.v6 + "/128")});
        case 1:
            return Json::array(
                {block("10.244.0.0/16", others4), block("fd00:10:244::/48", others6)});
        case 2:
            return Json::array({{{"podSelector", labelled("role", roles_[app])}}});
        case 3:
            return Json::array({{{"namespaceSelector", labelled("env", environment_)},
                                 {"podSelector", labelled("app", app)}}});
        case 4:
            return Json::array({{{"namespaceSelector", Json::object()},
                                 {"podSelector",
                                  {{"matchExpressions",
                                    Json::array({{{"key", "app"},
                                                  {"operator", "In"},
                                                  {"values", {app, word("ghost-", 3)}}}})}}}}});
        default:
            return Json::array({{{"podSelector", labelled("app", app)}}});
    }
}

Json EquivalentPolicies::network_rule(const Side& side, const Permission& permission) {
    Json port = {{"protocol", permission.protocol}, {"port", permission.port}};
    if (chance(30)) {
        port["port"] = permission.port - static_cast<int>(below(4));
        port["endPort"] = permission.port;
    }
    return {{side.is_ingress ? "from" : "to", peers(permission.peer)},
            {"ports", Json::array({port})}};
}

Json EquivalentPolicies::network_policy(const Side& side, const std::string& name,
                                        const Json& rules) const {
    return {{"apiVersion", "networking.k8s.io/v1"},
            {"kind", "NetworkPolicy"},
            {"metadata", {{"namespace", "shop"}, {"name", name}}},
            {"spec",
             {{"podSelector", labelled("app", side.pod)},
              {"policyTypes", Json::array({side.is_ingress ? "Ingress" : "Egress"})},
              {side.is_ingress ? "ingress" : "egress", rules}}}};
}

void EquivalentPolicies::write_network_policies(const Side& side, const std::string& name,
                                                bool is_split) {
    Json rules = Json::array();
    for (const auto& permission : side.permissions) {
        const auto rule = network_rule(side, permission);
        if (is_split) {
            const auto number = std::to_string(rules.size());
            add(network_policy(side, name + "-part-" + number, Json::array({rule})));
        }
        rules.push_back(rule);
    }
    add(network_policy(side, name, is_split ? Json::array() : rules));
}

// Peers and ports that no tested packet has; they split the classes of those that do.
void EquivalentPolicies::write_decoration(const Side& side, const std::string& name) {
    const auto& pod = lab_.pod("shop/" + kTested[below(kTested.size())]);
    const Json from = Json::array({block(pod.v4 + "/" + std::to_string(9 + below(24))),
                                   block(pod.v6 + "/" + std::to_string(33 + below(96))),
                                   {{"podSelector", labelled("role", word("ghost-", 3))}}});
    const Json ports =
        Json::array({{{"protocol", "TCP"}, {"port", 9000 + static_cast<int>(below(9))}}});
    add(network_policy(side, name,
                       Json::array({{{side.is_ingress ? "from" : "to", from}, {"ports", ports}}})));
}

Json EquivalentPolicies::tier_peer(const Side& side, const std::string& app) {
    const auto& pod = lab_.pod("shop/" + app);
    switch (below(side.is_ingress ? 3 : 4)) {
        case 0:
            return {{"pods",
                     {{"namespaceSelector", labelled("env", environment_)},
                      {"podSelector", labelled("app", app)}}}};
        case 1:
            return {{"pods",
                     {{"namespaceSelector", labelled("team", "shop")},
                      {"podSelector", labelled("role", roles_[app])}}}};
        case 2:
            return {
                {"pods",
                 {{"namespaceSelector", Json::object()}, {"podSelector", labelled("app", app)}}}};
        default:
            return {{"networks", {pod.v4 + "/32", pod.v6 + "/128"}}};
    }
}

Json EquivalentPolicies::tier_policy(const Side& side, const std::string& name,
                                     const std::string& tier, int priority,
                                     const Json& rules) const {
    return {{"apiVersion", "policy.networking.k8s.io/v1alpha2"},
            {"kind", "ClusterNetworkPolicy"},
            {"metadata", {{"name", name}}},
            {"spec",
             {{"tier", tier},
              {"priority", priority},
              {"subject",
               {{"pods",
                 {{"namespaceSelector", labelled("team", "shop")},
                  {"podSelector", labelled("app", side.pod)}}}}},
              {side.is_ingress ? "ingress" : "egress", rules}}}};
}

Json EquivalentPolicies::tier_rules(const Side& side, const std::string& action) {
    Json rules = Json::array();
    for (const auto& permission : side.permissions)
        rules.push_back(
            {{"action", action},
             {side.is_ingress ? "from" : "to", Json::array({tier_peer(side, permission.peer)})},
             {"protocols", protocols(permission)}});
    return rules;
}

Json EquivalentPolicies::deny_rest(const Side& side) const {
    return {{"action", "Deny"},
            {side.is_ingress ? "from" : "to", Json::array({{{"namespaces", Json::object()}}})}};
}

void EquivalentPolicies::write_admin(const Side& side, const std::string& name) {
    auto rules = tier_rules(side, "Accept");
    const auto priority = static_cast<int>(below(400));
    if (chance(50)) {
        add(tier_policy(side, name + "-rest", "Admin", priority + 1 + static_cast<int>(below(400)),
                        Json::array({deny_rest(side)})));
    } else {
        rules.push_back(deny_rest(side));
    }
    add(tier_policy(side, name, "Admin", priority, rules));
    if (chance(30)) add(network_policy(side, name, Json::array()));
}

void EquivalentPolicies::write_pass(const Side& side, const std::string& name) {
    auto rules = tier_rules(side, "Pass");
    rules.push_back(deny_rest(side));
    add(tier_policy(side, name, "Admin", static_cast<int>(below(400)), rules));
    if (chance(50)) return write_network_policies(side, name, chance(50));
    if (chance(50)) return write_baseline(side, name + "-base");
}

void EquivalentPolicies::write_baseline(const Side& side, const std::string& name) {
    auto rules = tier_rules(side, "Accept");
    rules.push_back(deny_rest(side));
    add(tier_policy(side, name, "Baseline", static_cast<int>(below(400)), rules));
}

// TCP is open to the permitted peers as far as network policy goes.
void EquivalentPolicies::write_authorization(const Side& side, const std::string& name) {
    Json network_rules = Json::array();
    Json rules = Json::array();
    Json ports = Json::array();
    for (const auto& permission : side.permissions) {
        auto rule = network_rule(side, permission);
        if (permission.protocol == "TCP") {
            const auto& peer = lab_.pod("shop/" + permission.peer);
            rule["ports"] = Json::array({{{"protocol", "TCP"}}});
            ports.push_back(std::to_string(permission.port));
            rules.push_back(
                {{"from", Json::array({{{"source", {{"ipBlocks", {peer.v4, peer.v6}}}}}})},
                 {"to", Json::array({{{"operation", {{"ports", Json::array({ports.back()})}}}}})}});
        }
        network_rules.push_back(rule);
    }
    if (!ports.empty()) {
        const bool is_deny = chance(50);
        const Json others = Json::array({{{"operation", {{"notPorts", ports}}}}});
        add({{"apiVersion", "security.istio.io/v1"},
             {"kind", "AuthorizationPolicy"},
             {"metadata", {{"namespace", "shop"}, {"name", name}}},
             {"spec",
              {{"selector", labelled("app", side.pod)},
               {"action", is_deny ? "DENY" : "ALLOW"},
               {"rules", is_deny ? Json::array({{{"to", others}}}) : rules}}}});
    }
    add(network_policy(side, name, network_rules));
}

} // namespace weir
