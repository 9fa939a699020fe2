// SPDX-License-Identifier: Apache-2.0
#include "policy/authorization_index.h"

#include <algorithm>
#include <utility>

#include "policy/selector.h"

namespace weir {
namespace {

bool is_before_in(const AuthorizationRecord* a, const AuthorizationRecord* b) {
    return is_before(a->policy->name, b->policy->name);
}

bool is_same(const AuthorizationRule& a, const AuthorizationRule& b) {
    return a.sources == b.sources && a.operations == b.operations &&
           a.source_conditions == b.source_conditions &&
           a.destination_conditions == b.destination_conditions;
}

RuleInfo info_of(const AuthorizationPolicy& policy, std::size_t index) {
    static const Symbol kKind("AuthorizationPolicy");
    const auto& rule = policy.rules[index];
    RuleInfo info;
    info.kind = kKind;
    info.policy = policy.name;
    info.direction = WEIR_INGRESS;
    info.index = rule.index;
    info.origin = Origin{policy.origin.file, rule.line};
    return info;
}

} // namespace

AuthorizationIndex::PolicyPtr AuthorizationIndex::upsert(NamespaceRecord& ns, PolicyPtr policy) {
    auto& record = records_[policy->name];
    if (!record) {
        record = std::make_unique<AuthorizationRecord>();
        record->policy = std::move(policy);
        const auto place = std::upper_bound(ns.authorizations.begin(), ns.authorizations.end(),
                                            record.get(), is_before_in);
        ns.authorizations.insert(place, record.get());
        return nullptr;
    }
    if (*record->policy == *policy) {
        return policy;
    }
    auto old = std::exchange(record->policy, std::move(policy));
    const auto& now = *record->policy;
    record->rules.replace(
        now.rules.size(), book_,
        [&](std::size_t index) {
            return old->is_deny == now.is_deny && is_same(old->rules[index], now.rules[index]);
        },
        [&](std::size_t index) { return info_of(now, index); });
    return old;
}

AuthorizationIndex::PolicyPtr AuthorizationIndex::erase(NamespaceRecord& ns, const Symbol& name) {
    const auto found = records_.find(ObjectName{ns.name, name});
    if (found == records_.end()) {
        return nullptr;
    }
    found->second->rules.retire(book_);
    std::erase(ns.authorizations, found->second.get());
    auto policy = found->second->policy;
    records_.erase(found);
    return policy;
}

bool AuthorizationIndex::selects(const AuthorizationPolicy& policy, const PodRecord& pod) {
    return pod.is_selectable() && matches(policy.subjects, pod.labels());
}

std::vector<AuthorizationRecord*> AuthorizationIndex::applying(const PodRecord& pod,
                                                               const NamespaceRecord* root) {
    std::vector<AuthorizationRecord*> result;
    const auto add = [&](const NamespaceRecord& ns) {
        for (auto* record : ns.authorizations) {
            if (selects(*record->policy, pod)) {
                result.push_back(record);
            }
        }
    };
    add(*pod.ns);
    if (root != nullptr && root != pod.ns) {
        const auto own = static_cast<std::ptrdiff_t>(result.size());
        add(*root);
        std::inplace_merge(result.begin(), result.begin() + own, result.end(), is_before_in);
    }
    return result;
}

void AuthorizationIndex::append(AuthorizationRecord& record, std::span<const Address> subject,
                                const EffectiveRule& pattern, std::vector<EffectiveRule>& rules) {
    for (std::size_t index = 0; index < record.policy->rules.size(); ++index) {
        const auto& rule = record.policy->rules[index];
        auto effective = pattern;
        effective.rule = record.rules.at(index, [&] {
            auto compiled = compiler_.compile(rule, record.policy->is_deny);
            compiled.id = book_.add(info_of(*record.policy, index));
            return compiled;
        });
        for (auto& part : compiler_.parts_for(rule, subject)) {
            effective.subject = std::move(part);
            rules.push_back(effective);
        }
    }
}

} // namespace weir
