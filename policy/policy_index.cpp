// SPDX-License-Identifier: Apache-2.0
#include "policy/policy_index.h"

#include <algorithm>
#include <utility>

#include "policy/selector.h"

namespace weir {
namespace {

constexpr std::array kBoth{WEIR_EGRESS, WEIR_INGRESS};

bool is_same(const Rule& a, const Rule& b) {
    return a.peers == b.peers && a.ports == b.ports;
}

KeyRange range_of(std::uint8_t protocol, const PortRange& ports) {
    return KeyRange{WEIR_PORT_KEY(protocol, ports.first), WEIR_PORT_KEY(protocol, ports.last)};
}

EffectiveRule resolved(const CompiledRulePtr& rule, const PodRecord& subject) {
    EffectiveRule effective{rule, rule->ports};
    for (const auto& name : rule->subject_ports) {
        for (const auto& port : subject.ports()) {
            if (port.name == name.name && port.protocol == name.protocol) {
                effective.ports.push_back(range_of(port.protocol, PortRange{port.port, port.port}));
            }
        }
    }
    if (!rule->subject_ports.empty()) {
        effective.ports = merged(std::move(effective.ports));
    }
    return effective;
}

} // namespace

bool PolicyIndex::upsert(NamespaceRecord& ns, std::shared_ptr<const NetworkPolicy> policy) {
    auto& record = policies_[policy->name];
    if (!record) {
        record = std::make_unique<PolicyRecord>();
        record->policy = std::move(policy);
        for (const auto direction : kBoth) {
            record->rules[direction].resize(record->of(direction).size());
        }
        const auto place = std::upper_bound(
            ns.policies.begin(), ns.policies.end(), record->policy->name,
            [](const ObjectName& a, PolicyRecord* b) { return is_before(a, b->policy->name); });
        ns.policies.insert(place, record.get());
        return true;
    }
    if (*record->policy == *policy) {
        return false;
    }
    replace(*record, std::move(policy));
    return true;
}

// Rules that did not change keep their compiled form; those that did lose it, and their id.
void PolicyIndex::replace(PolicyRecord& record, std::shared_ptr<const NetworkPolicy> policy) {
    const auto old = std::exchange(record.policy, std::move(policy));
    for (const auto direction : kBoth) {
        const auto& before = direction == WEIR_INGRESS ? old->ingress : old->egress;
        const auto& after = record.of(direction);
        auto& rules = record.rules[direction];
        for (std::size_t index = 0; index < rules.size(); ++index) {
            if (!rules[index]) {
                continue;
            }
            if (index < after.size() && is_same(before[index], after[index])) {
                book_.update(rules[index]->id, info_of(record, direction, index));
            } else {
                book_.retire(rules[index]->id);
                rules[index].reset();
            }
        }
        rules.resize(after.size());
    }
}

bool PolicyIndex::erase(NamespaceRecord& ns, const Symbol& name) {
    const auto found = policies_.find(ObjectName{ns.name, name});
    if (found == policies_.end()) {
        return false;
    }
    for (const auto& rules : found->second->rules) {
        for (const auto& rule : rules) {
            if (rule) {
                book_.retire(rule->id);
            }
        }
    }
    std::erase(ns.policies, found->second.get());
    policies_.erase(found);
    return true;
}

RuleInfo PolicyIndex::info_of(const PolicyRecord& record, weir_direction direction,
                              std::size_t index) const {
    static const Symbol kKind("NetworkPolicy");
    RuleInfo info;
    info.kind = kKind;
    info.policy = record.policy->name;
    info.direction = direction;
    info.index = static_cast<std::uint32_t>(index);
    info.origin = Origin{record.policy->origin.file, record.of(direction)[index].line};
    return info;
}

const CompiledRulePtr& PolicyIndex::compiled(PolicyRecord& record, weir_direction direction,
                                             std::size_t index) {
    auto& slot = record.rules[direction][index];
    if (!slot) {
        const auto& rule = record.of(direction)[index];
        auto fresh = std::make_shared<CompiledRule>();
        fresh->id = book_.add(info_of(record, direction, index));
        compile_peers(record.policy->name.ns, rule, *fresh);
        compile_ports(rule, direction, *fresh);
        slot = std::move(fresh);
    }
    return slot;
}

void PolicyIndex::compile_peers(const Symbol& ns, const Rule& rule, CompiledRule& compiled) {
    compiled.is_any_peer = rule.peers.empty();
    for (const auto& peer : rule.peers) {
        if (peer.block) {
            auto block = *peer.block;
            std::erase_if(block.except,
                          [&](const Cidr& except) { return !block.cidr.contains(except); });
            std::sort(block.except.begin(), block.except.end());
            compiled.peers.push_back(predicates_.intern(std::move(block)));
        } else if (peer.pods || peer.namespaces) {
            // NetworkPolicyPeer.podSelector: "Otherwise it selects the pods matching podSelector in
            // the policy's own namespace."
            PodPeer pods;
            if (peer.namespaces) {
                pods.namespaces = canonical(*peer.namespaces);
            } else {
                pods.ns = ns;
            }
            pods.pods = canonical(peer.pods.value_or(Selector{}));
            compiled.peers.push_back(predicates_.intern(std::move(pods)));
        }
    }
}

// NetworkPolicyIngressRule.ports: "If this field is empty or missing, this rule matches all ports
// (traffic not restricted by port)."
void PolicyIndex::compile_ports(const Rule& rule, weir_direction direction,
                                CompiledRule& compiled) {
    compiled.is_any_port = rule.ports.empty();
    for (const auto& port : rule.ports) {
        if (const auto* range = std::get_if<PortRange>(&port.number)) {
            compiled.ports.push_back(range_of(port.protocol, *range));
            continue;
        }
        NamedPort name{std::get<Symbol>(port.number), port.protocol, std::nullopt};
        if (direction == WEIR_INGRESS) {
            compiled.subject_ports.push_back(std::move(name));
        } else {
            compiled.peer_ports.push_back(predicates_.intern(std::move(name)));
        }
    }
    compiled.ports = merged(std::move(compiled.ports));
}

std::vector<PolicyRecord*> PolicyIndex::isolating(const PodRecord& pod, weir_direction direction) {
    std::vector<PolicyRecord*> result;
    if (!pod.is_selectable()) {
        return result;
    }
    for (auto* record : pod.ns->policies) {
        if (record->isolates(direction) && matches(record->policy->subjects, pod.labels())) {
            result.push_back(record);
        }
    }
    return result;
}

std::shared_ptr<const std::uint32_t> PolicyIndex::isolation(
    const std::vector<PolicyRecord*>& policies, weir_direction direction) {
    static const Symbol kKind("NetworkPolicy");
    const auto& first = *policies.front()->policy;
    RuleInfo info;
    info.kind = kKind;
    info.policy = first.name;
    info.direction = direction;
    info.origin = first.origin;
    IsolationKey key(1, static_cast<char>(direction));
    key += first.name.ns.get();
    for (const auto* record : policies) {
        info.isolated_by.push_back(record->policy->name);
        key += '/';
        key += record->policy->name.name.get();
    }
    auto& known = isolations_[key];
    if (auto existing = known.lock()) {
        book_.update(*existing, std::move(info));
        return existing;
    }
    const auto retire = [this, key](const std::uint32_t* id) {
        book_.retire(*id);
        isolations_.erase(key);
        delete id;
    };
    std::shared_ptr<const std::uint32_t> id(new std::uint32_t(book_.add(std::move(info))), retire);
    known = id;
    return id;
}

RuleListPtr PolicyIndex::effective_rules(const PodRecord& pod, weir_direction direction) {
    if (!pod.is_known()) {
        return lists_.intern(RuleList::unknown());
    }
    const auto policies = isolating(pod, direction);
    if (policies.empty()) {
        return lists_.intern(RuleList::open());
    }
    std::vector<EffectiveRule> rules;
    for (auto* record : policies) {
        for (std::size_t index = 0; index < record->of(direction).size(); ++index) {
            rules.push_back(resolved(compiled(*record, direction, index), pod));
        }
    }
    return lists_.intern(RuleList(direction, isolation(policies, direction), std::move(rules)));
}

} // namespace weir
