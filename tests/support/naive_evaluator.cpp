// SPDX-License-Identifier: Apache-2.0
#include "tests/support/naive_evaluator.h"

#include <netinet/in.h>

#include <algorithm>

#include "tests/support/naive_authorization.h"

namespace weir::test {
namespace {

Kind kind_of(TierPolicy::Api api) {
    switch (api) {
        case TierPolicy::Api::kClusterNetworkPolicy:
            return Kind::kClusterNetworkPolicy;
        case TierPolicy::Api::kAdminNetworkPolicy:
            return Kind::kAdminNetworkPolicy;
        case TierPolicy::Api::kBaselineAdminNetworkPolicy:
            return Kind::kBaselineAdminNetworkPolicy;
    }
    return Kind::kClusterNetworkPolicy;
}

bool is_in(const IpBlock& block, const Address& address) {
    return block.cidr.contains(address) &&
           std::none_of(block.except.begin(), block.except.end(),
                        [&](const Cidr& except) { return except.contains(address); });
}

} // namespace

std::string to_string(const NaiveRule& rule) {
    if (!rule.kind) {
        return "no policy";
    }
    std::string text = weir::to_string(ObjectKey{*rule.kind, rule.policy});
    if (rule.index) {
        return text + " rule " + std::to_string(*rule.index);
    }
    text = std::string(weir::to_string(*rule.kind)) + " isolation by";
    for (const auto& name : rule.isolated_by) {
        text += " " + name.ns.get() + "/" + name.name.get();
    }
    return text;
}

bool NaiveEvaluator::takes_part(Enforcement enforcement, const Flow& flow, Scope scope) const {
    switch (scope) {
        case Scope::kWithDryRuns:
            return true;
        case Scope::kAll:
            return enforcement != Enforcement::kDryRun;
        case Scope::kWithoutAudited:
            return enforcement == Enforcement::kEnforced &&
                   !world_.is_audited(flow.subject->name.ns);
    }
    return true;
}

// "If unspecified, protocol-specific attributes will not be used to match traffic": a rule without
// ports is for every protocol. A named port is one of the pod that is connected to.
bool NaiveEvaluator::matches(const std::vector<Port>& ports, const Flow& flow) {
    const Pod* server = flow.is_ingress ? flow.subject : flow.peer_pod;
    const auto is_open = [&](const Port& port) {
        if (port.protocol != flow.protocol) return false;
        if (const auto* range = std::get_if<PortRange>(&port.number)) {
            return range->first <= flow.port && flow.port <= range->last;
        }
        return server != nullptr &&
               std::any_of(server->ports.begin(), server->ports.end(),
                           [&](const ContainerPort& open) {
                               return open.name == std::get<Symbol>(port.number) &&
                                      open.protocol == flow.protocol && open.port == flow.port;
                           });
    };
    return ports.empty() || std::any_of(ports.begin(), ports.end(), is_open);
}

bool NaiveEvaluator::matches(const NetworkPolicy& policy, const Rule& rule,
                             const Flow& flow) const {
    const auto is_peer = [&](const Peer& peer) {
        if (peer.block) return is_in(*peer.block, flow.peer);
        if (flow.peer_pod == nullptr) return false;
        const bool is_namespace =
            peer.namespaces
                ? selects(*peer.namespaces, world_.namespace_labels(flow.peer_pod->name.ns))
                : flow.peer_pod->name.ns == policy.name.ns;
        return is_namespace && (!peer.pods || selects(*peer.pods, flow.peer_pod->labels));
    };
    return (rule.peers.empty() || std::any_of(rule.peers.begin(), rule.peers.end(), is_peer)) &&
           matches(rule.ports, flow);
}

bool NaiveEvaluator::matches(const TierRule& rule, const Flow& flow) const {
    const auto is_peer = [&](const TierRule::Peer& peer) {
        if (const auto* selection = std::get_if<PodSelection>(&peer)) {
            return flow.peer_pod != nullptr && world_.is_selected(*selection, *flow.peer_pod);
        }
        if (const auto* cidr = std::get_if<Cidr>(&peer)) {
            return cidr->contains(flow.peer);
        }
        // "Matching on the IPs present in the node.Status.Addresses field of the node."
        const auto& selector = std::get<NodeSelection>(peer).nodes;
        return std::any_of(
            world_.nodes().begin(), world_.nodes().end(), [&](const auto& named_node) {
                const Node& node = named_node.second;
                return selects(selector, node.labels) &&
                       std::find(node.addresses.begin(), node.addresses.end(), flow.peer) !=
                           node.addresses.end();
            });
    };
    return (rule.is_any_peer || std::any_of(rule.peers.begin(), rule.peers.end(), is_peer)) &&
           matches(rule.ports, flow);
}

std::optional<NaiveEvaluator::Outcome> NaiveEvaluator::evaluate_tier(Tier tier, const Flow& flow,
                                                                     Scope scope) const {
    std::vector<const TierPolicy*> policies;
    for (const auto& [key, policy] : world_.tier_policies()) {
        if (policy.tier == tier && takes_part(policy.enforcement, flow, scope) &&
            world_.is_selected(policy.subjects, *flow.subject)) {
            policies.push_back(&policy);
        }
    }
    // "Policies with lower priority values [...] are checked before policies with higher priority
    // values in the same tier."
    std::stable_sort(policies.begin(), policies.end(),
                     [](const auto* a, const auto* b) { return a->priority < b->priority; });
    for (const auto* policy : policies) {
        const auto& rules = flow.is_ingress ? policy->ingress : policy->egress;
        for (std::uint32_t index = 0; index < rules.size(); ++index) {
            if (!matches(rules[index], flow)) continue;
            // "Skips all further ClusterNetworkPolicy rules in the current tier."
            if (rules[index].action == TierAction::kPass) return std::nullopt;
            const bool is_allowed = rules[index].action == TierAction::kAccept;
            return Outcome{is_allowed,
                           !is_allowed && rules[index].is_any_peer,
                           {NaiveRule{kind_of(policy->api), policy->name, index, {}}}};
        }
    }
    return std::nullopt;
}

std::optional<NaiveEvaluator::Outcome> NaiveEvaluator::evaluate_network_policies(
    const Flow& flow, Scope scope) const {
    NaiveRule isolation{Kind::kNetworkPolicy, {}, std::nullopt, {}};
    for (const auto& [name, policy] : world_.policies()) {
        if (policy.name.ns != flow.subject->name.ns || flow.subject->is_host_network ||
            !(flow.is_ingress ? policy.isolates_ingress : policy.isolates_egress) ||
            !takes_part(policy.enforcement, flow, scope) ||
            !selects(policy.subjects, flow.subject->labels)) {
            continue;
        }
        isolation.isolated_by.push_back(policy.name);
        const auto& rules = flow.is_ingress ? policy.ingress : policy.egress;
        for (std::uint32_t index = 0; index < rules.size(); ++index) {
            if (matches(policy, rules[index], flow)) {
                return Outcome{
                    true, false, {NaiveRule{Kind::kNetworkPolicy, policy.name, index, {}}}};
            }
        }
    }
    if (isolation.isolated_by.empty()) {
        return std::nullopt;
    }
    return Outcome{false, false, {isolation}};
}

std::optional<NaiveEvaluator::Outcome> NaiveEvaluator::evaluate_authorization(const Flow& flow,
                                                                              Scope scope) const {
    if (!flow.is_ingress || flow.protocol != IPPROTO_TCP || flow.subject->is_host_network) {
        return std::nullopt;
    }
    const NaiveConnection connection{flow.peer, flow.peer_pod, flow.endpoint, flow.port};
    Outcome deny{false, false, {}};
    Outcome allow{true, false, {}};
    NaiveRule isolation{Kind::kAuthorizationPolicy, {}, std::nullopt, {}};
    for (const auto& [name, policy] : world_.authorizations()) {
        if (!takes_part(policy.enforcement, flow, scope) || !is_for(policy, *flow.subject)) {
            continue;
        }
        if (!policy.is_deny) {
            isolation.isolated_by.push_back(policy.name);
        }
        for (const auto& rule : policy.rules) {
            if (test::matches(rule, connection)) {
                (policy.is_deny ? deny : allow)
                    .rules.push_back(
                        NaiveRule{Kind::kAuthorizationPolicy, policy.name, rule.index, {}});
            }
        }
    }
    // "If there are any DENY policies that match the request, deny the request."
    if (!deny.rules.empty()) return deny;
    // "If there are no ALLOW policies for the workload, allow the request."
    if (isolation.isolated_by.empty()) return std::nullopt;
    // "If any of the ALLOW policies match the request, allow the request. Deny the request."
    return allow.rules.empty() ? Outcome{false, false, {isolation}} : allow;
}

NaiveEvaluator::Outcome NaiveEvaluator::evaluate(const Flow& flow, Scope scope) const {
    auto outcome = evaluate_tier(Tier::kAdmin, flow, scope);
    if (!outcome) outcome = evaluate_network_policies(flow, scope);
    if (!outcome) outcome = evaluate_tier(Tier::kBaseline, flow, scope);
    if (!outcome) outcome = Outcome{true, false, {NaiveRule{}}};
    if (!outcome->is_allowed) return *outcome;
    const auto authorization = evaluate_authorization(flow, scope);
    if (!authorization) return *outcome;
    if (!authorization->is_allowed) return *authorization;
    // Both allow: either may be named.
    outcome->rules.insert(outcome->rules.end(), authorization->rules.begin(),
                          authorization->rules.end());
    return *outcome;
}

NaiveVerdict NaiveEvaluator::judge(std::uint32_t slot, weir_direction direction,
                                   const Address& peer, std::uint8_t protocol,
                                   std::uint16_t port) const {
    Flow flow;
    flow.endpoint = world_.local(slot);
    flow.subject = flow.endpoint == nullptr ? nullptr : world_.pod(flow.endpoint->pod);
    if (flow.subject == nullptr) {
        return NaiveVerdict{false, false, false, {NaiveRule{}}};
    }
    flow.is_ingress = direction == WEIR_INGRESS;
    flow.peer = peer;
    flow.peer_pod = world_.owner(peer);
    flow.protocol = protocol;
    flow.port = port;
    const auto all = evaluate(flow, Scope::kAll);
    if (!all.is_allowed) {
        const bool is_audited = evaluate(flow, Scope::kWithoutAudited).is_allowed;
        return NaiveVerdict{is_audited, is_audited, !is_audited && all.is_for_all, all.rules};
    }
    const auto with_dry_runs = evaluate(flow, Scope::kWithDryRuns);
    return with_dry_runs.is_allowed ? NaiveVerdict{true, false, false, all.rules}
                                    : NaiveVerdict{true, true, false, with_dry_runs.rules};
}

} // namespace weir::test
