// SPDX-License-Identifier: Apache-2.0
#include "policy/tier_index.h"

#include <utility>

#include "policy/rule_compiler.h"
#include "policy/selector.h"

namespace weir {
namespace {

bool is_same(const TierRule& a, const TierRule& b) {
    return a.action == b.action && a.is_any_peer == b.is_any_peer && a.peers == b.peers &&
           a.ports == b.ports;
}

RuleInfo info_of(const TierRecord& record, weir_direction direction, std::size_t index) {
    RuleInfo info;
    info.kind = Symbol(to_string(record.key.kind));
    info.policy = record.policy->name;
    info.direction = direction;
    info.index = static_cast<std::uint32_t>(index);
    info.origin = Origin{record.policy->origin.file, record.of(direction)[index].line};
    return info;
}

} // namespace

bool TierIndex::IsBefore::operator()(const TierRecord* a, const TierRecord* b) const {
    if (a->policy->priority != b->policy->priority) {
        return a->policy->priority < b->policy->priority;
    }
    if (a->key.kind != b->key.kind) {
        return a->key.kind < b->key.kind;
    }
    return is_before(a->key.name, b->key.name);
}

TierIndex::PolicyPtr TierIndex::upsert(const ObjectKey& key, PolicyPtr policy) {
    auto& record = records_[key];
    if (!record) {
        record = std::make_unique<TierRecord>();
        record->key = key;
        record->policy = std::move(policy);
        order_of(*record->policy).insert(record.get());
        return nullptr;
    }
    if (*record->policy == *policy) {
        return policy;
    }
    order_of(*record->policy).erase(record.get());
    auto old = std::exchange(record->policy, std::move(policy));
    order_of(*record->policy).insert(record.get());
    for (const auto direction : {WEIR_EGRESS, WEIR_INGRESS}) {
        const auto& before = direction == WEIR_INGRESS ? old->ingress : old->egress;
        const auto& after = record->of(direction);
        record->rules[direction].replace(
            after.size(), book_,
            [&](std::size_t index) { return is_same(before[index], after[index]); },
            [&](std::size_t index) { return info_of(*record, direction, index); });
    }
    return old;
}

TierIndex::PolicyPtr TierIndex::erase(const ObjectKey& key) {
    const auto found = records_.find(key);
    if (found == records_.end()) {
        return nullptr;
    }
    auto& record = *found->second;
    for (auto& rules : record.rules) {
        rules.retire(book_);
    }
    order_of(*record.policy).erase(&record);
    auto policy = record.policy;
    records_.erase(found);
    return policy;
}

Directions TierIndex::changed_directions(const TierPolicy* before, const TierPolicy& after) {
    if (before == nullptr || before->tier != after.tier || before->priority != after.priority ||
        before->subjects != after.subjects || before->enforcement != after.enforcement) {
        return kBothDirections;
    }
    return (before->ingress != after.ingress ? 1U << WEIR_INGRESS : 0U) |
           (before->egress != after.egress ? 1U << WEIR_EGRESS : 0U);
}

// ClusterNetworkPolicySpec.subject: "Note that host-networked pods are not included in subject
// selection."
bool TierIndex::selects(const TierPolicy& policy, const PodRecord& pod) {
    return pod.is_selectable() && matches(policy.subjects.namespaces, pod.ns->labels) &&
           matches(policy.subjects.pods, pod.labels());
}

std::vector<TierRecord*> TierIndex::selecting(const PodRecord& pod, Tier tier,
                                              weir_direction direction) const {
    std::vector<TierRecord*> result;
    for (auto* record : orders_[static_cast<std::size_t>(tier)]) {
        if (!record->of(direction).empty() && selects(*record->policy, pod)) {
            result.push_back(record);
        }
    }
    return result;
}

const CompiledRulePtr& TierIndex::compiled(TierRecord& record, weir_direction direction,
                                           std::size_t index) {
    return record.rules[direction].at(index, [&] {
        auto rule = compile_rule(record.of(direction)[index], direction, predicates_);
        rule.id = book_.add(info_of(record, direction, index));
        return rule;
    });
}

} // namespace weir
