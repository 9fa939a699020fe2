// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_route.h"

#include "agent/kube/decode_metadata.h"
#include "agent/kube/decode_network.h"
#include "agent/kube/syntax.h"

namespace weir {
namespace {

constexpr std::int64_t kMostWeight = 1'000'000;
constexpr std::size_t kMostParents = 32;
constexpr std::size_t kMostRules = 16;
constexpr std::size_t kMostBackends = 16;

// Decodes one route; the first thing that layer 4 cannot do is why it is not applied.
class RouteDecoder {
public:
    RouteDecoder(const ObjectName& name, TrafficRoute::Api api) {
        route_.name = name;
        route_.api = api;
    }

    std::optional<TrafficRoute> decode(const Field& root) {
        const Field metadata = root["metadata"];
        static_cast<void>(decode_metadata(metadata));
        route_.created = decode_creation(metadata);
        const Field spec = root["spec"];
        if (spec.is_missing() || !spec.is_mapping()) return std::nullopt;
        spec.allow_only({"parentRefs", "useDefaultGateways", "hostnames", "rules"});
        decode_parents(spec["parentRefs"]);
        if (route_.parents.empty()) return std::nullopt;
        if (spec["hostnames"].size() != 0) {
            refuse(spec["hostnames"], "a route by host names needs layer 7", "remove hostnames");
        }
        decode_rules(spec["rules"]);
        return std::move(route_);
    }

private:
    void refuse(const Field& field, const std::string& what, std::string remedy) {
        field.warning(what + ": the route is not applied, the Service's traffic stays as it is",
                      std::move(remedy));
        if (route_.not_applied.get().empty()) {
            route_.not_applied = Symbol(field.path() + ": " + what);
        }
    }

    static std::string_view text(const Field& field, std::string_view fallback) {
        return field.is_missing() ? fallback : field.string().value_or(fallback);
    }

    // What a reference names, in the route's namespace when it names none.
    ObjectName target(const Field& reference) const {
        const std::string_view name = text(reference["name"], "");
        if (name.empty()) reference["name"].error("is required");
        const std::string_view ns = text(reference["namespace"], route_.name.ns.get());
        return {Symbol(std::string(ns)), Symbol(std::string(name))};
    }

    void decode_parents(const Field& list) {
        check_limit(list, kMostParents);
        list.each_item([&](const Field& item) {
            if (!item.is_mapping()) return;
            item.allow_only({"group", "kind", "namespace", "name", "sectionName", "port"});
            const bool is_service = text(item["group"], "gateway.networking.k8s.io").empty() &&
                                    text(item["kind"], "Gateway") == "Service";
            if (!is_service) return; // a Gateway's business
            TrafficRoute::Parent parent{target(item), 0};
            if (parent.service.ns != route_.name.ns) {
                return item["namespace"].warning(
                    "a route for the clients of one namespace cannot be applied on layer 4",
                    "put the route into the Service's namespace, where it is for all clients");
            }
            parent.port = decode_port_number(item["port"]).value_or(0);
            route_.parents.push_back(parent);
        });
    }

    void decode_rules(const Field& rules) {
        check_limit(rules, kMostRules);
        bool is_first = true;
        rules.each_item([&](const Field& rule) {
            if (!rule.is_mapping()) return;
            rule.allow_only({"name", "matches", "filters", "backendRefs", "timeouts", "retry",
                             "sessionPersistence"});
            check_layer4(rule);
            // "the first matching rule (in list order) with a match meeting the above criteria".
            if (is_first) decode_backends(rule["backendRefs"]);
            is_first = false;
        });
        if (is_first) refuse(rules, "has no rule", "give a rule with backendRefs");
    }

    void check_layer4(const Field& rule) {
        if (!matches_everything(rule["matches"])) {
            refuse(rule["matches"], "a match needs layer 7", "remove it, or use / as path prefix");
        }
        if (rule["filters"].size() != 0) {
            refuse(rule["filters"], "a filter needs layer 7", "remove it");
        }
        for (const std::string_view name : {"timeouts", "retry", "sessionPersistence"}) {
            if (!rule[name].is_missing()) rule[name].warning("needs layer 7 and is not applied");
        }
    }

    // "If no matches are specified, the default is a prefix path match on "/"", which the API
    // server writes into the object. Matches are alternatives.
    static bool matches_everything(const Field& matches) {
        bool is_any = matches.size() == 0;
        matches.each_item([&](const Field& match) {
            const Field path = match["path"];
            const bool is_root =
                path.is_missing() || (text(path["type"], "PathPrefix") == "PathPrefix" &&
                                      text(path["value"], "/") == "/");
            is_any |= is_root && match["headers"].size() == 0 && match["queryParams"].size() == 0 &&
                      match["method"].is_missing();
        });
        return is_any;
    }

    void decode_backends(const Field& list) {
        check_limit(list, kMostBackends);
        if (list.size() == 0) refuse(list, "names no backend", "name Services and their weights");
        list.each_item([&](const Field& item) {
            if (item.is_mapping()) decode_backend(item);
        });
    }

    void decode_backend(const Field& item) {
        item.allow_only({"group", "kind", "namespace", "name", "port", "weight", "filters"});
        if (item["filters"].size() != 0) {
            refuse(item["filters"], "a filter needs layer 7", "remove it");
        }
        TrafficRoute::Backend backend{{}, 0, decode_weight(item["weight"])};
        if (!text(item["group"], "").empty() || text(item["kind"], "Service") != "Service") {
            item.warning("is no Service: its share of the connections is refused",
                         "name a Service");
            route_.backends.push_back(backend);
            return;
        }
        backend.service = target(item);
        if (item["port"].is_missing()) item["port"].error("is required for a Service");
        backend.port = decode_port_number(item["port"]).value_or(0);
        route_.backends.push_back(backend);
    }

    static std::uint32_t decode_weight(const Field& field) {
        const std::int64_t weight = field.integer().value_or(1);
        if (weight < 0 || weight > kMostWeight) field.error("must be between 0 and 1000000");
        return static_cast<std::uint32_t>(weight);
    }

    static void check_limit(const Field& list, std::size_t most) {
        if (list.size() != 0) check_optional_size(list, most);
    }

    TrafficRoute route_;
};

} // namespace

std::optional<TrafficRoute> decode_route(const Field& root, const ObjectName& name,
                                         TrafficRoute::Api api) {
    return RouteDecoder(name, api).decode(root);
}

} // namespace weir
