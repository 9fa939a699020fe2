// SPDX-License-Identifier: Apache-2.0
#include "tests/support/naive_world.h"

#include <algorithm>

namespace weir::test {
namespace {

NaiveWorld::Name key_of(const ObjectName& name) {
    return {name.ns.get(), name.name.get()};
}

TierPolicy::Api api_of(Kind kind) {
    if (kind == Kind::kAdminNetworkPolicy) return TierPolicy::Api::kAdminNetworkPolicy;
    return kind == Kind::kClusterNetworkPolicy ? TierPolicy::Api::kClusterNetworkPolicy
                                               : TierPolicy::Api::kBaselineAdminNetworkPolicy;
}

bool holds(const LabelRequirement& requirement, const Labels& labels) {
    const auto found = std::find_if(labels.begin(), labels.end(), [&](const Label& label) {
        return label.key == requirement.key;
    });
    const bool exists = found != labels.end();
    const bool is_listed = exists && std::find(requirement.values.begin(), requirement.values.end(),
                                               found->value) != requirement.values.end();
    switch (requirement.op) {
        case LabelRequirement::Operator::kIn:
            return is_listed;
        case LabelRequirement::Operator::kNotIn:
            return !is_listed;
        case LabelRequirement::Operator::kExists:
            return exists;
        case LabelRequirement::Operator::kDoesNotExist:
            return !exists;
    }
    return false;
}

} // namespace

bool selects(const Selector& selector, const Labels& labels) {
    return std::all_of(
        selector.requirements.begin(), selector.requirements.end(),
        [&](const LabelRequirement& requirement) { return holds(requirement, labels); });
}

void NaiveWorld::apply(const Change& change) {
    for (const auto& key : change.erasures) {
        erase(key);
    }
    for (const auto& object : change.upserts) {
        upsert(object);
    }
}

void NaiveWorld::upsert(const Object& object) {
    if (const auto* ns = std::get_if<Namespace>(&object)) {
        namespaces_[ns->name.get()] = *ns;
    } else if (const auto* node = std::get_if<Node>(&object)) {
        nodes_[node->name.get()] = *node;
    } else if (const auto* pod = std::get_if<Pod>(&object)) {
        claim_status(*pod);
        pods_[key_of(pod->name)] = *pod;
    } else if (const auto* policy = std::get_if<NetworkPolicy>(&object)) {
        policies_[key_of(policy->name)] = *policy;
    } else if (const auto* tier = std::get_if<TierPolicy>(&object)) {
        tier_policies_[{tier->api, tier->name.name.get()}] = *tier;
    } else if (const auto* authorization = std::get_if<AuthorizationPolicy>(&object)) {
        authorizations_[key_of(authorization->name)] = *authorization;
    }
}

// An address that the pod had keeps its place among the claims; a new one is the latest.
void NaiveWorld::claim_status(const Pod& pod) {
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

void NaiveWorld::erase(const ObjectKey& key) {
    const auto name = key_of(key.name);
    switch (key.kind) {
        case Kind::kNamespace:
            namespaces_.erase(name.second);
            break;
        case Kind::kNode:
            nodes_.erase(name.second);
            break;
        case Kind::kPod:
            pods_.erase(name);
            std::erase_if(claims_,
                          [&](const Claim& claim) { return claim.pod == name && !claim.slot; });
            break;
        case Kind::kNetworkPolicy:
            policies_.erase(name);
            break;
        case Kind::kClusterNetworkPolicy:
        case Kind::kAdminNetworkPolicy:
        case Kind::kBaselineAdminNetworkPolicy:
            tier_policies_.erase({api_of(key.kind), name.second});
            break;
        case Kind::kAuthorizationPolicy:
            authorizations_.erase(name);
            break;
        case Kind::kService:
        case Kind::kEndpointSlice:
        case Kind::kHttpRoute:
        case Kind::kGrpcRoute:
        case Kind::kTcpRoute:
        case Kind::kReferenceGrant:
        case Kind::kDestinationRule:
            break; // policy judges backends, not services
    }
}

void NaiveWorld::set_local(const LocalPod& local) {
    erase_local(local.slot);
    locals_[local.slot] = local;
    for (const auto& address : local.addresses) {
        claims_.push_back(Claim{address, key_of(local.pod), local.slot});
    }
}

void NaiveWorld::erase_local(std::uint32_t slot) {
    locals_.erase(slot);
    std::erase_if(claims_, [&](const Claim& claim) { return claim.slot == slot; });
}

const LocalPod* NaiveWorld::local(std::uint32_t slot) const {
    const auto found = locals_.find(slot);
    return found == locals_.end() ? nullptr : &found->second;
}

const Pod* NaiveWorld::pod(const ObjectName& name) const {
    const auto found = pods_.find(key_of(name));
    return found == pods_.end() ? nullptr : &found->second;
}

const Pod* NaiveWorld::owner(const Address& address) const {
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
    return pod == pods_.end() || pod->second.is_host_network ? nullptr : &pod->second;
}

const Labels& NaiveWorld::namespace_labels(const Symbol& name) const {
    const auto found = namespaces_.find(name.get());
    if (found != namespaces_.end()) return found->second.labels;
    auto& assumed = assumed_labels_[name.get()];
    if (assumed.empty()) assumed = {Label{Symbol("kubernetes.io/metadata.name"), name}};
    return assumed;
}

bool NaiveWorld::is_audited(const Symbol& ns) const {
    const auto found = namespaces_.find(ns.get());
    return found != namespaces_.end() && found->second.is_audited;
}

bool NaiveWorld::is_selected(const PodSelection& selection, const Pod& pod) const {
    return !pod.is_host_network && selects(selection.namespaces, namespace_labels(pod.name.ns)) &&
           selects(selection.pods, pod.labels);
}

Change NaiveWorld::everything() const {
    Change change;
    const auto add = [&](const auto& objects) {
        for (const auto& [key, object] : objects) {
            change.upserts.emplace_back(object);
        }
    };
    add(namespaces_);
    add(nodes_);
    add(pods_);
    add(policies_);
    add(tier_policies_);
    add(authorizations_);
    return change;
}

std::vector<LocalPod> NaiveWorld::locals() const {
    std::vector<LocalPod> result;
    for (const auto& [slot, local] : locals_) {
        result.push_back(local);
    }
    return result;
}

} // namespace weir::test
