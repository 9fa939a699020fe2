// SPDX-License-Identifier: Apache-2.0
#include "policy/policy_index.h"

#include <algorithm>
#include <utility>

#include "policy/rule_compiler.h"
#include "policy/selector.h"

namespace weir {
namespace {

bool is_same(const Rule& a, const Rule& b) {
    return a.peers == b.peers && a.ports == b.ports;
}

RuleInfo info_of(const PolicyRecord& record, weir_direction direction, std::size_t index) {
    static const Symbol kKind("NetworkPolicy");
    RuleInfo info;
    info.kind = kKind;
    info.policy = record.policy->name;
    info.direction = direction;
    info.index = static_cast<std::uint32_t>(index);
    info.origin = Origin{record.policy->origin.file, record.of(direction)[index].line};
    return info;
}

} // namespace

bool PolicyIndex::upsert(NamespaceRecord& ns, std::shared_ptr<const NetworkPolicy> policy) {
    auto& record = policies_[policy->name];
    if (!record) {
        record = std::make_unique<PolicyRecord>();
        record->policy = std::move(policy);
        const auto place = std::upper_bound(
            ns.policies.begin(), ns.policies.end(), record->policy->name,
            [](const ObjectName& a, PolicyRecord* b) { return is_before(a, b->policy->name); });
        ns.policies.insert(place, record.get());
        return true;
    }
    if (*record->policy == *policy) {
        return false;
    }
    const auto old = std::exchange(record->policy, std::move(policy));
    for (const auto direction : {WEIR_EGRESS, WEIR_INGRESS}) {
        const auto& before = direction == WEIR_INGRESS ? old->ingress : old->egress;
        const auto& after = record->of(direction);
        record->rules[direction].replace(
            after.size(), book_,
            [&](std::size_t index) { return is_same(before[index], after[index]); },
            [&](std::size_t index) { return info_of(*record, direction, index); });
    }
    return true;
}

bool PolicyIndex::erase(NamespaceRecord& ns, const Symbol& name) {
    const auto found = policies_.find(ObjectName{ns.name, name});
    if (found == policies_.end()) {
        return false;
    }
    for (auto& rules : found->second->rules) {
        rules.retire(book_);
    }
    std::erase(ns.policies, found->second.get());
    policies_.erase(found);
    return true;
}

const CompiledRulePtr& PolicyIndex::compiled(PolicyRecord& record, weir_direction direction,
                                             std::size_t index) {
    return record.rules[direction].at(index, [&] {
        auto rule = compile_rule(record.of(direction)[index], record.policy->name.ns, direction,
                                 predicates_);
        rule.id = book_.add(info_of(record, direction, index));
        return rule;
    });
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

} // namespace weir
