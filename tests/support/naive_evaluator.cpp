// SPDX-License-Identifier: Apache-2.0
#include "tests/support/naive_evaluator.h"

#include <algorithm>

namespace weir::test {
namespace {

std::pair<std::string, std::string> key_of(const ObjectName& name) {
    return {name.ns.get(), name.name.get()};
}

bool holds(const LabelRequirement& requirement, const Labels& labels) {
    std::optional<std::string> value;
    for (const auto& label : labels) {
        if (label.key.get() == requirement.key.get()) {
            value = label.value.get();
        }
    }
    bool is_listed = false;
    for (const auto& listed : requirement.values) {
        is_listed = is_listed || value == listed.get();
    }
    switch (requirement.op) {
        case LabelRequirement::Operator::kIn:
            return is_listed;
        case LabelRequirement::Operator::kNotIn:
            return !is_listed;
        case LabelRequirement::Operator::kExists:
            return value.has_value();
        case LabelRequirement::Operator::kDoesNotExist:
            return !value.has_value();
    }
    return false;
}

bool selects(const Selector& selector, const Labels& labels) {
    for (const auto& requirement : selector.requirements) {
        if (!holds(requirement, labels)) {
            return false;
        }
    }
    return true;
}

} // namespace

void NaiveEvaluator::apply(const Change& change) {
    for (const auto& key : change.erasures) {
        erase(key);
    }
    for (const auto& object : change.upserts) {
        upsert(object);
    }
}

void NaiveEvaluator::upsert(const Object& object) {
    if (const auto* ns = std::get_if<Namespace>(&object)) {
        namespaces_[ns->name.get()] = *ns;
    } else if (const auto* pod = std::get_if<Pod>(&object)) {
        claim_status(*pod);
        pods_[key_of(pod->name)] = *pod;
    } else if (const auto* policy = std::get_if<NetworkPolicy>(&object)) {
        policies_[key_of(policy->name)] = *policy;
    }
}

// An address that the pod had keeps its place among the claims; a new one is the latest.
void NaiveEvaluator::claim_status(const Pod& pod) {
    auto wanted = pod.is_host_network || pod.is_terminated ? std::vector<Address>{} : pod.addresses;
    std::sort(wanted.begin(), wanted.end());
    const auto name = key_of(pod.name);
    std::erase_if(claims_, [&](const Claim& claim) {
        return claim.pod == name && !claim.slot &&
               std::find(wanted.begin(), wanted.end(), claim.address) == wanted.end();
    });
    for (const auto& address : wanted) {
        const bool has_it = std::any_of(claims_.begin(), claims_.end(), [&](const Claim& claim) {
            return claim.pod == name && !claim.slot && claim.address == address;
        });
        if (!has_it) {
            claims_.push_back(Claim{address, name, std::nullopt});
        }
    }
}

void NaiveEvaluator::erase(const ObjectKey& key) {
    const auto name = key_of(key.name);
    switch (key.kind) {
        case Kind::kNamespace:
            namespaces_.erase(name.second);
            break;
        case Kind::kPod:
            pods_.erase(name);
            std::erase_if(claims_,
                          [&](const Claim& claim) { return claim.pod == name && !claim.slot; });
            break;
        case Kind::kNetworkPolicy:
            policies_.erase(name);
            break;
        case Kind::kNode:
        case Kind::kClusterNetworkPolicy:
        case Kind::kAdminNetworkPolicy:
        case Kind::kBaselineAdminNetworkPolicy:
        case Kind::kAuthorizationPolicy:
            break;
    }
}

void NaiveEvaluator::set_local(const LocalPod& local) {
    erase_local(local.slot);
    locals_[local.slot] = local;
    for (const auto& address : local.addresses) {
        claims_.push_back(Claim{address, key_of(local.pod), local.slot});
    }
}

void NaiveEvaluator::erase_local(std::uint32_t slot) {
    locals_.erase(slot);
    std::erase_if(claims_, [&](const Claim& claim) { return claim.slot == slot; });
}

const Pod* NaiveEvaluator::owner(const Address& address) const {
    const Claim* owner = nullptr;
    for (const auto& claim : claims_) {
        if (claim.address == address && (claim.slot || owner == nullptr || !owner->slot)) {
            owner = &claim;
        }
    }
    if (owner == nullptr) {
        return nullptr;
    }
    const auto pod = pods_.find(owner->pod);
    // A host-network pod is no pod to NetworkPolicy.
    return pod == pods_.end() || pod->second.is_host_network ? nullptr : &pod->second;
}

Labels NaiveEvaluator::namespace_labels(const std::string& name) const {
    const auto found = namespaces_.find(name);
    return found != namespaces_.end()
               ? found->second.labels
               : Labels{Label{Symbol("kubernetes.io/metadata.name"), Symbol(name)}};
}

bool NaiveEvaluator::matches(const NetworkPolicy& policy, const Peer& peer,
                             const Address& address) const {
    if (peer.block) {
        return peer.block->cidr.contains(address) &&
               std::none_of(peer.block->except.begin(), peer.block->except.end(),
                            [&](const Cidr& except) { return except.contains(address); });
    }
    const auto* pod = owner(address);
    if (pod == nullptr) {
        return false;
    }
    const bool is_namespace = peer.namespaces
                                  ? selects(*peer.namespaces, namespace_labels(pod->name.ns.get()))
                                  : pod->name.ns.get() == policy.name.ns.get();
    return is_namespace && (!peer.pods || selects(*peer.pods, pod->labels));
}

bool NaiveEvaluator::matches(const Port& port, const Pod* holder, std::uint8_t protocol,
                             std::uint16_t number) const {
    if (port.protocol != protocol) {
        return false;
    }
    if (const auto* range = std::get_if<PortRange>(&port.number)) {
        return range->first <= number && number <= range->last;
    }
    if (holder == nullptr) {
        return false;
    }
    return std::any_of(holder->ports.begin(), holder->ports.end(), [&](const ContainerPort& open) {
        return open.name.get() == std::get<Symbol>(port.number).get() &&
               open.protocol == protocol && open.port == number;
    });
}

NaiveVerdict NaiveEvaluator::judge(std::uint32_t slot, weir_direction direction,
                                   const Address& peer, std::uint8_t protocol,
                                   std::uint16_t port) const {
    NaiveVerdict verdict;
    const auto local = locals_.find(slot);
    if (local == locals_.end()) {
        return verdict;
    }
    const auto found = pods_.find(key_of(local->second.pod));
    if (found == pods_.end()) {
        return verdict;
    }
    const Pod& subject = found->second;
    const bool is_ingress = direction == WEIR_INGRESS;
    const Pod* holder = is_ingress ? &subject : owner(peer);
    for (const auto& [name, policy] : policies_) {
        if (subject.is_host_network || name.first != subject.name.ns.get() ||
            !(is_ingress ? policy.isolates_ingress : policy.isolates_egress) ||
            !selects(policy.subjects, subject.labels)) {
            continue;
        }
        verdict.isolated_by.push_back(policy.name);
        const auto& rules = is_ingress ? policy.ingress : policy.egress;
        for (std::uint32_t index = 0; index < rules.size(); ++index) {
            const auto& rule = rules[index];
            const bool is_peer =
                rule.peers.empty() ||
                std::any_of(rule.peers.begin(), rule.peers.end(),
                            [&](const Peer& one) { return matches(policy, one, peer); });
            const bool is_port =
                rule.ports.empty() ||
                std::any_of(rule.ports.begin(), rule.ports.end(),
                            [&](const Port& one) { return matches(one, holder, protocol, port); });
            if (is_peer && is_port && !verdict.index) {
                verdict.policy = policy.name;
                verdict.index = index;
            }
        }
    }
    verdict.is_allowed = verdict.isolated_by.empty() || verdict.index.has_value();
    if (verdict.is_allowed) {
        verdict.isolated_by.clear();
    }
    return verdict;
}

Change NaiveEvaluator::everything() const {
    Change change;
    for (const auto& [name, ns] : namespaces_) {
        change.upserts.emplace_back(ns);
    }
    for (const auto& [name, pod] : pods_) {
        change.upserts.emplace_back(pod);
    }
    for (const auto& [name, policy] : policies_) {
        change.upserts.emplace_back(policy);
    }
    return change;
}

std::vector<LocalPod> NaiveEvaluator::locals() const {
    std::vector<LocalPod> result;
    for (const auto& [slot, local] : locals_) {
        result.push_back(local);
    }
    return result;
}

} // namespace weir::test
