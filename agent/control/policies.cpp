// SPDX-License-Identifier: Apache-2.0
// The answers about policies.
#include <fmt/format.h>

#include <vector>

#include "agent/control/answers.h"
#include "agent/control/policy_text.h"
#include "agent/enforcer.h"
#include "agent/inventory.h"
#include "policy/selector.h"

namespace weir {
namespace {

bool is_selected(const NetworkPolicy& policy, const ControlContext& context,
                 const Endpoint& endpoint) {
    if (policy.name.ns.get() != endpoint.ns) return false;
    const auto* pod = context.inventory.pod({Symbol(endpoint.ns), Symbol(endpoint.name)});
    return pod != nullptr && !pod->is_host_network && matches(policy.subjects, pod->labels);
}

v1::Policy policy_message(const NetworkPolicy& policy, const ControlContext& context) {
    v1::Policy message;
    message.set_kind("NetworkPolicy");
    message.set_namespace_(policy.name.ns.get());
    message.set_name(policy.name.name.get());
    message.set_file(policy.origin.file.get());
    message.set_line(policy.origin.line);
    message.set_subjects(selector_text(policy.subjects));
    message.set_isolates_ingress(policy.isolates_ingress);
    message.set_isolates_egress(policy.isolates_egress);
    message.set_ingress_rules(static_cast<std::uint32_t>(policy.ingress.size()));
    message.set_egress_rules(static_cast<std::uint32_t>(policy.egress.size()));
    for (const auto& [slot, endpoint] : context.enforcer.endpoints().all()) {
        if (is_selected(policy, context, endpoint)) message.add_selected_here(endpoint.pod());
    }
    return message;
}

void add_rules(v1::PolicyDetails& details, const char* direction, const std::vector<Rule>& rules) {
    std::uint32_t index = 0;
    for (const auto& rule : rules) {
        auto* message = details.add_rules();
        message->set_direction(direction);
        message->set_index(index++);
        message->set_line(rule.line);
        for (const auto& peer : rule.peers)
            message->add_peers(peer_text(peer));
        for (const auto& port : rule.ports)
            message->add_ports(port_text(port));
        if (rule.peers.empty()) message->add_peers("anyone");
        if (rule.ports.empty()) message->add_ports("any");
    }
}

std::vector<const NetworkPolicy*> find(const Inventory& inventory,
                                       const v1::ShowPolicyRequest& request) {
    std::vector<const NetworkPolicy*> found;
    for (const auto& [key, policy] : inventory.policies()) {
        if (policy->name.name.get() != request.name()) continue;
        if (!request.namespace_().empty() && policy->name.ns.get() != request.namespace_())
            continue;
        found.push_back(policy.get());
    }
    return found;
}

} // namespace

v1::ListPoliciesResponse list_policies(const ControlContext& context,
                                       const v1::ListPoliciesRequest& request) {
    v1::ListPoliciesResponse response;
    for (const auto& [key, policy] : context.inventory.policies()) {
        if (!request.namespace_().empty() && policy->name.ns.get() != request.namespace_())
            continue;
        *response.add_policies() = policy_message(*policy, context);
    }
    return response;
}

Reply<v1::PolicyDetails> show_policy(const ControlContext& context,
                                     const v1::ShowPolicyRequest& request) {
    const auto found = find(context.inventory, request);
    const std::string name =
        request.namespace_().empty() ? request.name() : request.namespace_() + "/" + request.name();
    if (found.empty()) {
        return std::unexpected(
            Refusal{Refusal::Code::kNotFound,
                    fmt::format("no policy {}; `weir policy list` shows those in force", name)});
    }
    if (found.size() > 1) {
        return std::unexpected(
            Refusal{Refusal::Code::kInvalidArgument,
                    fmt::format("{} policies are called {}: write NAMESPACE/{}, as in {}/{}",
                                found.size(), name, name, found.front()->name.ns.get(), name)});
    }
    v1::PolicyDetails details;
    *details.mutable_policy() = policy_message(*found.front(), context);
    add_rules(details, "ingress", found.front()->ingress);
    add_rules(details, "egress", found.front()->egress);
    return details;
}

} // namespace weir
