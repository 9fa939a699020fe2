// SPDX-License-Identifier: Apache-2.0
// The answers about policies of every kind.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "agent/config.h"
#include "agent/control/answers.h"
#include "agent/control/policy_text.h"
#include "agent/control/subjects.h"
#include "agent/enforcer.h"
#include "agent/inventory.h"

namespace weir {
namespace {

// Kinds in the order in which their rules are asked.
int stage_of(const Object& object) {
    if (const auto* tier = std::get_if<TierPolicy>(&object)) {
        return tier->tier == Tier::kAdmin ? 0 : 2;
    }
    return std::holds_alternative<NetworkPolicy>(object) ? 1 : 3;
}

int priority_of(const Object& object) {
    if (const auto* tier = std::get_if<TierPolicy>(&object)) return tier->priority;
    const auto* authorization = std::get_if<AuthorizationPolicy>(&object);
    return authorization != nullptr && !authorization->is_deny ? 1 : 0; // DENY comes first
}

bool is_asked_before(const SharedObject& a, const SharedObject& b) {
    return std::pair(stage_of(a), priority_of(a)) < std::pair(stage_of(b), priority_of(b));
}

std::uint32_t count_of(const auto& list) {
    return static_cast<std::uint32_t>(list.size());
}

Enforcement mode_in(Enforcement own, const Symbol& ns, const Inventory& inventory) {
    const Namespace* home = inventory.ns(ns);
    const bool is_audited = home != nullptr && home->is_audited;
    return own == Enforcement::kEnforced && is_audited ? Enforcement::kAudited : own;
}

// What is particular to a kind.
class Describer {
public:
    Describer(v1::Policy& message, const Inventory& inventory)
        : message_(message), inventory_(inventory) {}

    void operator()(const NetworkPolicy& policy) {
        message_.set_tier("NetworkPolicy");
        message_.set_subjects(selector_text(policy.subjects));
        message_.set_isolates_ingress(policy.isolates_ingress);
        message_.set_isolates_egress(policy.isolates_egress);
        set_rules(count_of(policy.ingress), count_of(policy.egress));
        set_mode(mode_in(policy.enforcement, policy.name.ns, inventory_));
    }

    void operator()(const TierPolicy& policy) {
        message_.set_tier(policy.tier == Tier::kAdmin ? "Admin" : "Baseline");
        if (policy.api != TierPolicy::Api::kBaselineAdminNetworkPolicy) {
            message_.set_priority(policy.priority);
        }
        message_.set_subjects(selection_text(policy.subjects));
        set_rules(count_of(policy.ingress), count_of(policy.egress));
        set_mode(policy.enforcement);
    }

    void operator()(const AuthorizationPolicy& policy) {
        message_.set_tier("Authorization");
        message_.set_action(policy.is_deny ? "DENY" : "ALLOW");
        message_.set_subjects(selector_text(policy.subjects));
        message_.set_isolates_ingress(!policy.is_deny);
        set_rules(count_of(policy.rules), 0);
        set_mode(mode_in(policy.enforcement, policy.name.ns, inventory_));
    }

    void operator()(const auto&) {} // no policy

private:
    void set_rules(std::uint32_t ingress, std::uint32_t egress) {
        message_.set_ingress_rules(ingress);
        message_.set_egress_rules(egress);
    }
    void set_mode(Enforcement mode) { message_.set_mode(enforcement_word(mode)); }

    v1::Policy& message_;
    const Inventory& inventory_;
};

v1::Policy policy_message(const ObjectKey& key, const Object& object,
                          const ControlContext& context) {
    v1::Policy message;
    message.set_kind(to_string(key.kind));
    message.set_namespace_(key.name.ns.get());
    message.set_name(key.name.name.get());
    const Origin& origin =
        std::visit([](const auto& typed) -> const Origin& { return typed.origin; }, object);
    message.set_file(origin.file.get());
    message.set_line(origin.line);
    std::visit(Describer(message, context.inventory), object);
    const SubjectTest test(object, Symbol(context.config.root_namespace));
    for (const auto& [slot, endpoint] : context.enforcer.endpoints().all()) {
        if (!test.may_select_in(endpoint.ns)) continue;
        const auto* pod = context.inventory.pod({Symbol(endpoint.ns), Symbol(endpoint.name)});
        if (pod == nullptr) continue;
        if (test.selects(*pod, context.inventory.ns(pod->name.ns))) {
            message.add_selected_here(endpoint.pod());
        }
    }
    return message;
}

v1::PolicyRule& add_rule(v1::PolicyDetails& details, const char* direction, std::size_t index,
                         const auto& rule) {
    auto* message = details.add_rules();
    message->set_direction(direction);
    message->set_index(static_cast<std::uint32_t>(index));
    message->set_line(rule.line);
    return *message;
}

// Adds the texts of the list, or the word for an empty one.
template <typename Add>
void add_texts(const auto& list, auto&& text_of, const char* if_empty, Add&& add) {
    for (const auto& item : list)
        add(text_of(item));
    if (list.empty()) add(std::string(if_empty));
}

class RuleLister {
public:
    explicit RuleLister(v1::PolicyDetails& details) : details_(details) {}

    void operator()(const NetworkPolicy& policy) {
        list("ingress", policy.ingress);
        list("egress", policy.egress);
    }
    void operator()(const TierPolicy& policy) {
        list("ingress", policy.ingress);
        list("egress", policy.egress);
    }
    void operator()(const AuthorizationPolicy& policy) {
        for (const auto& rule : policy.rules) {
            auto& message = add_rule(details_, "ingress", rule.index, rule);
            message.set_action(policy.is_deny ? "deny" : "allow");
            add_texts(
                rule.sources, [](const auto& source) { return source_text(source); }, "anyone",
                [&message](std::string text) { message.add_peers(std::move(text)); });
            add_texts(
                rule.operations, [](const auto& operation) { return destination_text(operation); },
                "any TCP port",
                [&message](std::string text) { message.add_ports(std::move(text)); });
            for (const auto& condition : rule.source_conditions)
                message.add_conditions(source_text(condition));
            for (const auto& condition : rule.destination_conditions)
                message.add_conditions(destination_text({condition}));
        }
    }
    void operator()(const auto&) {} // no policy

private:
    void list(const char* direction, const std::vector<Rule>& rules) {
        for (std::size_t i = 0; i < rules.size(); ++i) {
            auto& message = add_rule(details_, direction, i, rules[i]);
            message.set_action("allow");
            add_peers(message, rules[i].peers, "anyone");
            add_ports(message, rules[i].ports);
        }
    }

    void list(const char* direction, const std::vector<TierRule>& rules) {
        for (std::size_t i = 0; i < rules.size(); ++i) {
            auto& message = add_rule(details_, direction, i, rules[i]);
            message.set_action(action_word(rules[i].action));
            message.set_name(rules[i].name.get());
            add_peers(message, rules[i].peers, rules[i].is_any_peer ? "anyone" : "no one");
            add_ports(message, rules[i].ports);
        }
    }

    static void add_peers(v1::PolicyRule& message, const auto& peers, const char* if_empty) {
        add_texts(
            peers, [](const auto& peer) { return peer_text(peer); }, if_empty,
            [&message](std::string text) { message.add_peers(std::move(text)); });
    }

    static void add_ports(v1::PolicyRule& message, const std::vector<Port>& ports) {
        add_texts(
            ports, [](const Port& port) { return port_text(port); }, "any",
            [&message](std::string text) { message.add_ports(std::move(text)); });
    }

    v1::PolicyDetails& details_;
};

using FoundPolicy = Inventory::Policies::value_type;

std::vector<const FoundPolicy*> find(const Inventory& inventory,
                                     const v1::ShowPolicyRequest& request) {
    std::vector<const FoundPolicy*> found;
    for (const auto& policy : inventory.policies()) {
        const ObjectKey& key = policy.first;
        if (key.name.name.get() != request.name()) continue;
        if (!request.namespace_().empty() && key.name.ns.get() != request.namespace_()) continue;
        if (!request.kind().empty() && to_string(key.kind) != request.kind()) continue;
        found.push_back(&policy);
    }
    return found;
}

// "[KIND/][NAMESPACE/]NAME".
std::string full_name(const ObjectKey& key) {
    std::string text = std::string(to_string(key.kind)) + "/";
    if (!key.name.ns.get().empty()) text += key.name.ns.get() + "/";
    return text + key.name.name.get();
}

std::string asked_name(const v1::ShowPolicyRequest& request) {
    std::string text = request.kind().empty() ? "" : request.kind() + "/";
    if (!request.namespace_().empty()) text += request.namespace_() + "/";
    return text + request.name();
}

Refusal ambiguous(const std::vector<const FoundPolicy*>& found,
                  const v1::ShowPolicyRequest& request) {
    std::vector<std::string> names;
    for (const auto* policy : found)
        names.push_back(full_name(policy->first));
    return {Refusal::Code::kInvalidArgument,
            fmt::format("{} policies are called {}: write one of {}", found.size(),
                        asked_name(request), fmt::join(names, ", "))};
}

} // namespace

v1::ListPoliciesResponse list_policies(const ControlContext& context,
                                       const v1::ListPoliciesRequest& request) {
    std::vector<std::pair<ObjectKey, SharedObject>> listed;
    for (const auto& [key, policy] : context.inventory.policies()) {
        const bool is_asked =
            request.namespace_().empty() || key.name.ns.get() == request.namespace_();
        if (is_asked) listed.emplace_back(key, policy);
    }
    std::ranges::stable_sort(
        listed, [](const auto& a, const auto& b) { return is_asked_before(a.second, b.second); });
    v1::ListPoliciesResponse response;
    for (const auto& [key, policy] : listed)
        *response.add_policies() = policy_message(key, policy, context);
    return response;
}

Reply<v1::PolicyDetails> show_policy(const ControlContext& context,
                                     const v1::ShowPolicyRequest& request) {
    const auto found = find(context.inventory, request);
    if (found.empty()) {
        return std::unexpected(
            Refusal{Refusal::Code::kNotFound,
                    fmt::format("no policy {}; `weir policy list` shows those in force",
                                asked_name(request))});
    }
    if (found.size() > 1) return std::unexpected(ambiguous(found, request));
    const auto& [key, policy] = *found.front();
    v1::PolicyDetails details;
    *details.mutable_policy() = policy_message(key, policy, context);
    std::visit(RuleLister(details), *policy);
    return details;
}

} // namespace weir
