// SPDX-License-Identifier: Apache-2.0
#include "agent/control/subjects.h"

#include "policy/selector.h"

namespace weir {
namespace {

const Labels kNoLabels;

const ObjectName* home_of(const Object& object, const Symbol& root_namespace) {
    if (const auto* policy = std::get_if<NetworkPolicy>(&object)) return &policy->name;
    const auto* authorization = std::get_if<AuthorizationPolicy>(&object);
    const bool is_at_home = authorization != nullptr && authorization->name.ns != root_namespace;
    return is_at_home ? &authorization->name : nullptr;
}

} // namespace

bool SubjectTest::may_select_in(const std::string& ns) const {
    const ObjectName* home = home_of(policy_, root_namespace_);
    return home == nullptr || home->ns.get() == ns;
}

bool SubjectTest::selects(const Pod& pod, const Namespace* ns) const {
    if (pod.is_host_network || pod.is_terminated) return false;
    const ObjectName* home = home_of(policy_, root_namespace_);
    if (home != nullptr && home->ns != pod.name.ns) return false;
    if (const auto* policy = std::get_if<NetworkPolicy>(&policy_)) {
        return matches(policy->subjects, pod.labels);
    }
    if (const auto* policy = std::get_if<AuthorizationPolicy>(&policy_)) {
        return matches(policy->subjects, pod.labels);
    }
    const auto* policy = std::get_if<TierPolicy>(&policy_);
    return policy != nullptr &&
           matches(policy->subjects.namespaces, ns == nullptr ? kNoLabels : ns->labels) &&
           matches(policy->subjects.pods, pod.labels);
}

} // namespace weir
