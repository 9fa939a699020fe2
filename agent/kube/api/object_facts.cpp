// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/object_facts.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir {
namespace {

std::optional<std::string> member(const Value* object, std::string_view name) {
    const Value* value = object == nullptr ? nullptr : object->find(name);
    if (value == nullptr || value->kind == Value::Kind::kNull) return std::nullopt;
    return std::string(value->text);
}

std::string text(const Value* object, std::string_view name) {
    return member(object, name).value_or("");
}

std::optional<std::int64_t> number(const Value* object, std::string_view name) {
    const Value* value = object == nullptr ? nullptr : object->find(name);
    return value == nullptr ? std::nullopt : to_integer(*value);
}

const Value* first_of(const Value* object, std::string_view name) {
    const Value* list = object == nullptr ? nullptr : object->find(name);
    return list == nullptr || list->kind != Value::Kind::kSequence ? nullptr : list->first;
}

Condition read_condition(const Value* value) {
    return {.type = text(value, "type"),
            .status = text(value, "status"),
            .reason = text(value, "reason"),
            .message = text(value, "message"),
            .observed_generation = number(value, "observedGeneration").value_or(0),
            .last_transition = text(value, "lastTransitionTime")};
}

ParentReference read_parent(const Value* value) {
    return {.group = member(value, "group"),
            .kind = member(value, "kind"),
            .ns = member(value, "namespace"),
            .name = text(value, "name"),
            .section = member(value, "sectionName"),
            .port = number(value, "port")};
}

void read_policy(ObjectFacts& facts, const Value* status) {
    for (const Value* item = first_of(status, "conditions"); item != nullptr; item = item->next) {
        if (text(item, "type") == kEnforcedCondition) facts.enforced = read_condition(item);
    }
}

// Of all rules.
void read_references(ObjectFacts& facts, const Value* spec, const std::string& ns) {
    for (const Value* rule = first_of(spec, "rules"); rule != nullptr; rule = rule->next) {
        for (const Value* one = first_of(rule, "backendRefs"); one != nullptr; one = one->next) {
            const bool is_service =
                text(one, "group").empty() && member(one, "kind").value_or("Service") == "Service";
            const std::string in = member(one, "namespace").value_or(ns);
            if (!is_service) {
                facts.has_invalid_kind = true;
            } else if (in != ns) {
                facts.foreigners.push_back({Symbol(in), Symbol(text(one, "name"))});
            }
        }
    }
}

void read_route(ObjectFacts& facts, const Value* spec, const Value* status) {
    for (const Value* item = first_of(spec, "parentRefs"); item != nullptr; item = item->next) {
        ParentReference parent = read_parent(item);
        if (parent.group == "" && parent.kind == "Service") {
            facts.services.push_back(std::move(parent));
        }
    }
    facts.has_status = status != nullptr && status->kind == Value::Kind::kMapping;
    const Value* parents = facts.has_status ? status->find("parents") : nullptr;
    facts.has_parents = parents != nullptr && parents->kind == Value::Kind::kSequence;
    std::size_t index = 0;
    for (const Value* item = first_of(status, "parents"); item != nullptr;
         item = item->next, ++index) {
        if (text(item, "controllerName") != kRouteController) continue;
        ParentStatus reported{index, read_parent(item->find("parentRef")), {}};
        for (const Value* one = first_of(item, "conditions"); one != nullptr; one = one->next)
            reported.conditions.push_back(read_condition(one));
        facts.reported.push_back(std::move(reported));
    }
}

bool is_route_kind(Kind kind) {
    return kind == Kind::kHttpRoute || kind == Kind::kGrpcRoute || kind == Kind::kTcpRoute;
}

} // namespace

std::string Condition::text() const {
    return fmt::format("{}={} {} ({}): {}", type, status, reason, observed_generation, message);
}

bool has_enforced_condition(Kind kind) {
    return kind == Kind::kClusterNetworkPolicy || kind == Kind::kAdminNetworkPolicy ||
           kind == Kind::kBaselineAdminNetworkPolicy;
}

bool has_written_status(Kind kind) {
    return has_enforced_condition(kind) || is_route_kind(kind);
}

ObjectFacts read_object_facts(Kind kind, const Value& object) {
    const Value* metadata = object.find("metadata");
    const Value* status = object.find("status");
    ObjectFacts facts;
    facts.version = text(metadata, "resourceVersion");
    facts.generation = number(metadata, "generation").value_or(0);
    if (has_enforced_condition(kind)) read_policy(facts, status);
    if (is_route_kind(kind)) {
        read_route(facts, object.find("spec"), status);
        read_references(facts, object.find("spec"), text(metadata, "namespace"));
    }
    return facts;
}

} // namespace weir
