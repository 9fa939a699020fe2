// SPDX-License-Identifier: Apache-2.0
#include "agent/report/route_status.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "policy/route_reference.h"
#include "policy/service_index.h"
#include "policy/service_plan.h"

namespace weir {
namespace {

constexpr const char* kResolved = "all backendRefs may be used";

// What a condition says: status, reason and message.
struct Saying {
    bool is_true = true;
    std::string reason;
    std::string message;
};

const Service* find_service(const ServiceIndex& services, const ObjectName& name) {
    const ServiceRecord* record = services.find(name);
    return record == nullptr ? nullptr : record->service.get();
}

TrafficRoute::Api route_api(Kind kind) {
    if (kind == Kind::kGrpcRoute) return TrafficRoute::Api::kGrpc;
    return kind == Kind::kTcpRoute ? TrafficRoute::Api::kTcp : TrafficRoute::Api::kHttp;
}

class RouteJudge {
public:
    RouteJudge(const ReportedObject& object, const ServiceIndex& services)
        : object_(object), services_(services) {
        if (object.in_force != nullptr) route_ = object.in_force->as<TrafficRoute>();
    }

    std::vector<ParentStatus> judge() const {
        std::vector<ParentStatus> all;
        for (const auto& parent : object_.facts.services) {
            const ObjectName name{parent.ns ? Symbol(*parent.ns) : object_.key.name.ns,
                                  Symbol(parent.name)};
            // "parent references that cannot be resolved ... will not be added to this list"
            const Service* service = find_service(services_, name);
            if (service == nullptr) continue;
            all.push_back({.index = 0,
                           .parent = parent,
                           .conditions = {condition("Accepted", accepted(parent, *service)),
                                          condition("ResolvedRefs", resolved())}});
        }
        return all;
    }

private:
    Condition condition(const char* type, const Saying& saying) const {
        return {.type = type,
                .status = saying.is_true ? "True" : "False",
                .reason = saying.reason,
                .message = saying.message,
                .observed_generation = object_.facts.generation,
                .last_transition = {}};
    }

    static Saying unsupported(std::string why) {
        return {false, "UnsupportedValue", std::move(why)};
    }

    Saying accepted(const ParentReference& parent, const Service& service) const {
        if (service.name.ns != object_.key.name.ns) {
            return unsupported(
                "routes for the clients of one namespace need layer 7: put the "
                "route into the Service's namespace, where it is for all clients");
        }
        if (object_.is_kept || route_ == nullptr) return unsupported(errors());
        if (!route_->not_applied.get().empty()) {
            return unsupported(route_->not_applied.get() +
                               "; the Service's traffic stays as it is");
        }
        if (parent.port && find_tcp_port(service, *parent.port) == nullptr) {
            return {false, "NoMatchingParent",
                    fmt::format("the Service has no TCP port {}", *parent.port)};
        }
        if (service.addresses.empty()) {
            return {false, "NoMatchingParent", "the Service has no address to balance"};
        }
        if (const auto older = overruling(parent, service); !older.empty()) {
            return {false, "OlderRouteApplies",
                    older + " is older and has all of this Service's traffic; delete one of them"};
        }
        return {true, "Accepted", "splits the Service's traffic by weight"};
    }

    std::string errors() const {
        const std::string text = message_of(object_.problems);
        return text.empty() ? "the route is not valid" : text;
    }

    // The route that has the traffic of all ports which this one is for; empty: this one has some.
    std::string overruling(const ParentReference& parent, const Service& service) const {
        std::string older;
        for (const auto& port : service.ports) {
            if (port.protocol != IPPROTO_TCP || (parent.port && *parent.port != port.port))
                continue;
            const auto first = route_of(*services_.find(service.name), port.port);
            if (first == nullptr || key_of(*first) == object_.key) return {};
            older = to_string(key_of(*first));
        }
        return older;
    }

    Saying resolved() const {
        if (object_.facts.has_invalid_kind) {
            return unresolved("InvalidKind", "a backendRef is no Service: name Services");
        }
        for (const auto& service : object_.facts.foreigners) {
            if (services_.grants().permit(route_api(object_.key.kind), object_.key.name.ns,
                                          service)) {
                continue;
            }
            return unresolved("RefNotPermitted", "Service " + service.to_string() +
                                                     " is in another namespace: " +
                                                     grant_remedy(object_.key, service.ns));
        }
        // What a node keeps of an earlier version is its own: it writes what all others do.
        if (object_.is_kept || route_ == nullptr) return {true, "ResolvedRefs", kResolved};
        for (const auto& backend : route_->backends) {
            const auto flaw = flaw_of(services_, *route_, backend);
            if (flaw == ReferenceFlaw::kNone) continue;
            return unresolved("BackendNotFound", describe(flaw, *route_, backend));
        }
        return {true, "ResolvedRefs", kResolved};
    }

    static Saying unresolved(std::string reason, const std::string& why) {
        return {false, std::move(reason), why + "; its share of the connections is refused"};
    }

    const ReportedObject& object_;
    const ServiceIndex& services_;
    std::shared_ptr<const TrafficRoute> route_; // null: never valid
};

nlohmann::json to_json(const ParentReference& parent) {
    nlohmann::json json = {{"name", parent.name}};
    if (parent.group) json["group"] = *parent.group;
    if (parent.kind) json["kind"] = *parent.kind;
    if (parent.ns) json["namespace"] = *parent.ns;
    if (parent.section) json["sectionName"] = *parent.section;
    if (parent.port) json["port"] = *parent.port;
    return json;
}

nlohmann::json to_json(const ParentStatus& status) {
    nlohmann::json conditions = nlohmann::json::array();
    for (const auto& condition : status.conditions)
        conditions.push_back(to_json(condition));
    return {{"parentRef", to_json(status.parent)},
            {"controllerName", kRouteController},
            {"conditions", std::move(conditions)}};
}

bool says_same(const ParentStatus& a, const ParentStatus& b) {
    return std::ranges::equal(
        a.conditions, b.conditions,
        [](const Condition& one, const Condition& other) { return one.says_same(other); });
}

const ParentStatus* find_written(const ObjectFacts& facts, const ParentReference& parent) {
    const auto found = std::ranges::find(facts.reported, parent, &ParentStatus::parent);
    return found == facts.reported.end() ? nullptr : &*found;
}

// JSON patch operations on status.parents that leave the entries of others alone.
nlohmann::json parent_changes(const ObjectFacts& facts, const std::vector<ParentStatus>& desired) {
    nlohmann::json changes = nlohmann::json::array();
    nlohmann::json added = nlohmann::json::array();
    for (const auto& status : desired) {
        const auto* written = find_written(facts, status.parent);
        if (written == nullptr) {
            added.push_back(to_json(status));
        } else if (!says_same(*written, status)) {
            changes.push_back({{"op", "replace"},
                               {"path", fmt::format("/status/parents/{}", written->index)},
                               {"value", to_json(status)}});
        }
    }
    // From the last on, so that the indices of the ones before stay true.
    for (auto written = facts.reported.rbegin(); written != facts.reported.rend(); ++written) {
        const bool is_first = find_written(facts, written->parent) == &*written;
        const auto is_same = [&](const ParentStatus& one) { return one.parent == written->parent; };
        if (is_first && std::ranges::any_of(desired, is_same)) continue;
        changes.push_back(
            {{"op", "remove"}, {"path", fmt::format("/status/parents/{}", written->index)}});
    }
    if (added.empty()) return changes;
    if (facts.has_parents) {
        for (auto& one : added)
            changes.push_back({{"op", "add"}, {"path", "/status/parents/-"}, {"value", one}});
    } else if (facts.has_status) {
        changes.push_back({{"op", "add"}, {"path", "/status/parents"}, {"value", added}});
    } else {
        changes.push_back({{"op", "add"}, {"path", "/status"}, {"value", {{"parents", added}}}});
    }
    return changes;
}

} // namespace

std::vector<ParentStatus> desired_parents(const ReportedObject& route,
                                          const ServiceIndex& services) {
    return RouteJudge(route, services).judge();
}

std::optional<StatusWrite> route_status_write(const ReportedObject& route,
                                              const ServiceIndex& services,
                                              std::chrono::system_clock::time_point now) {
    auto desired = desired_parents(route, services);
    for (auto& status : desired) {
        const auto* written = find_written(route.facts, status.parent);
        for (auto& condition : status.conditions) {
            set_transition(condition,
                           written == nullptr ? std::vector<Condition>() : written->conditions,
                           now);
        }
    }
    nlohmann::json patch = parent_changes(route.facts, desired);
    if (patch.empty()) return std::nullopt;
    // "SHOULD perform a read-modify-write cycle on this field": of this version, no other.
    const nlohmann::json of_version = {
        {"op", "replace"}, {"path", "/metadata/resourceVersion"}, {"value", route.facts.version}};
    patch.insert(patch.begin(), of_version);
    StatusWrite write = status_write(route, "application/json-patch+json", patch);
    for (const auto& status : desired) {
        for (const auto& condition : status.conditions)
            write.content += condition.text() + "\n";
    }
    return write;
}

} // namespace weir
