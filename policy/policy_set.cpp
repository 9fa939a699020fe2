// SPDX-License-Identifier: Apache-2.0
#include "policy/policy_set.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace weir {
namespace {

// How a policy takes part for this pod: an audited namespace makes all but dry runs audited.
Enforcement enforcement_for(const PodRecord& subject, Enforcement own) {
    return subject.ns->is_audited && own == Enforcement::kEnforced ? Enforcement::kAudited : own;
}

EffectiveRule effective_rule(const CompiledRulePtr& rule, Stage stage, Enforcement enforcement,
                             const PodRecord& subject) {
    EffectiveRule effective{rule, stage, enforcement, nullptr};
    if (rule->subject_ports.empty()) {
        return effective;
    }
    auto part = std::make_shared<SubjectPart>();
    part->ports = rule->ports;
    for (const auto& name : rule->subject_ports) {
        for (const auto& port : subject.ports()) {
            if (port.name == name.name && port.protocol == name.protocol) {
                part->ports.push_back(ports_of(port.protocol, port.port, port.port));
            }
        }
    }
    part->ports = merged(std::move(part->ports));
    effective.subject = std::move(part);
    return effective;
}

// Gives each evaluation its isolation, asking once where they have the same policies.
template <typename Record, typename IdOf>
void set_isolation(const std::vector<Record*>& records, const PodRecord& subject,
                   IsolationId Isolation::* part, EffectiveRules& effective, IdOf id_of) {
    const auto all = id_of(Evaluation::kAll);
    for (const auto evaluation : kEvaluations) {
        const bool differs = std::any_of(records.begin(), records.end(), [&](const auto* record) {
            const auto enforcement = enforcement_for(subject, record->policy->enforcement);
            return takes_part(enforcement, evaluation) != takes_part(enforcement, Evaluation::kAll);
        });
        effective.isolations[static_cast<std::size_t>(evaluation)].*part =
            differs ? id_of(evaluation) : all;
    }
}

template <typename Record>
IsolationBook::Policies participants(const std::vector<Record*>& records, const PodRecord& subject,
                                     Evaluation evaluation, weir_direction direction) {
    constexpr auto kind =
        std::is_same_v<Record, PolicyRecord> ? Kind::kNetworkPolicy : Kind::kAuthorizationPolicy;
    IsolationBook::Policies policies(to_string(kind), direction);
    for (const auto* record : records) {
        if (takes_part(enforcement_for(subject, record->policy->enforcement), evaluation)) {
            policies.add(record->policy->name, record->policy->origin);
        }
    }
    return policies;
}

} // namespace

void PolicySet::add_tier(const Subject& subject, Tier tier, weir_direction direction,
                         EffectiveRules& effective) {
    const auto stage = tier == Tier::kAdmin ? Stage::kAdmin : Stage::kBaseline;
    for (auto* record : tiers_.selecting(subject.pod, tier, direction)) {
        const auto enforcement = enforcement_for(subject.pod, record->policy->enforcement);
        effective.add(enforcement);
        for (std::size_t index = 0; index < record->of(direction).size(); ++index) {
            effective.rules.push_back(effective_rule(tiers_.compiled(*record, direction, index),
                                                     stage, enforcement, subject.pod));
        }
    }
}

bool PolicySet::add_network_policies(const Subject& subject, weir_direction direction,
                                     EffectiveRules& effective) {
    const auto isolating = PolicyIndex::isolating(subject.pod, direction);
    for (auto* record : isolating) {
        const auto enforcement = enforcement_for(subject.pod, record->policy->enforcement);
        effective.add(enforcement);
        for (std::size_t index = 0; index < record->of(direction).size(); ++index) {
            effective.rules.push_back(effective_rule(policies_.compiled(*record, direction, index),
                                                     Stage::kNetworkPolicy, enforcement,
                                                     subject.pod));
        }
    }
    set_isolation(isolating, subject.pod, &Isolation::network, effective, [&](Evaluation of) {
        return isolations_.id_of(participants(isolating, subject.pod, of, direction));
    });
    return std::any_of(effective.isolations.begin(), effective.isolations.end(),
                       [](const Isolation& isolation) { return !isolation.network; });
}

void PolicySet::add_authorizations(const Subject& subject, const NamespaceRecord* root,
                                   EffectiveRules& effective) {
    const auto applying = AuthorizationIndex::applying(subject.pod, root);
    for (const auto stage : {Stage::kAuthorizationDeny, Stage::kAuthorizationAllow}) {
        for (auto* record : applying) {
            if (record->policy->is_deny != (stage == Stage::kAuthorizationDeny)) {
                continue;
            }
            const auto enforcement = enforcement_for(subject.pod, record->policy->enforcement);
            effective.add(enforcement);
            authorizations_.append(*record, subject.addresses, {{}, stage, enforcement, {}},
                                   effective.rules);
        }
    }
    auto allowing = applying;
    std::erase_if(allowing, [](const auto* record) { return record->policy->is_deny; });
    set_isolation(allowing, subject.pod, &Isolation::authorization, effective, [&](Evaluation of) {
        return isolations_.id_of(participants(allowing, subject.pod, of, WEIR_INGRESS));
    });
}

RuleListPtr PolicySet::effective_rules(const Subject& subject, weir_direction direction,
                                       const NamespaceRecord* root) {
    if (!subject.pod.is_known()) {
        return lists_.intern(RuleList::unknown());
    }
    EffectiveRules effective;
    add_tier(subject, Tier::kAdmin, direction, effective);
    if (add_network_policies(subject, direction, effective)) {
        add_tier(subject, Tier::kBaseline, direction, effective);
    }
    // AuthorizationPolicy: access control on the workload, what it receives.
    if (direction == WEIR_INGRESS) {
        add_authorizations(subject, root, effective);
    }
    return lists_.intern(RuleList(std::move(effective)));
}

std::vector<ObjectKey> PolicySet::policies_of(const PodRecord& pod, weir_direction direction,
                                              const NamespaceRecord* root) const {
    std::vector<ObjectKey> keys;
    const auto add_tier = [&](Tier tier) {
        for (const auto* record : tiers_.selecting(pod, tier, direction)) {
            keys.push_back(record->key);
        }
    };
    add_tier(Tier::kAdmin);
    for (const auto* record : PolicyIndex::isolating(pod, direction)) {
        keys.push_back(ObjectKey{Kind::kNetworkPolicy, record->policy->name});
    }
    add_tier(Tier::kBaseline);
    if (direction == WEIR_INGRESS) {
        for (const auto* record : AuthorizationIndex::applying(pod, root)) {
            keys.push_back(ObjectKey{Kind::kAuthorizationPolicy, record->policy->name});
        }
    }
    return keys;
}

} // namespace weir
