// SPDX-License-Identifier: Apache-2.0
#include "policy/reference_grants.h"

#include <algorithm>

namespace weir {
namespace {

bool is_from(const ReferenceGrant& grant, TrafficRoute::Api api, const Symbol& ns) {
    return std::ranges::any_of(grant.from, [&](const ReferenceGrant::From& from) {
        return from.api == api && from.ns == ns;
    });
}

bool is_to(const ReferenceGrant& grant, const Symbol& service) {
    return std::ranges::any_of(grant.to,
                               [&](const Symbol& to) { return to.get().empty() || to == service; });
}

template <typename Typed>
void change(std::vector<Typed>& list, const Typed& one, int sign) {
    if (sign > 0) {
        list.push_back(one);
    } else if (const auto known = std::ranges::find(list, one); known != list.end()) {
        list.erase(known);
    }
}

} // namespace

void ReferenceGrants::put(const std::shared_ptr<const ReferenceGrant>& grant, int sign) {
    change(namespaces_[grant->name.ns].grants, grant, sign);
    drop_if_idle(grant->name.ns);
}

void ReferenceGrants::put_user(const Symbol& ns, const ObjectName& parent, int sign) {
    change(namespaces_[ns].users, parent, sign);
    drop_if_idle(ns);
}

bool ReferenceGrants::permit(TrafficRoute::Api api, const Symbol& from,
                             const ObjectName& service) const {
    if (from == service.ns) return true;
    const auto record = namespaces_.find(service.ns);
    if (record == namespaces_.end()) return false;
    return std::ranges::any_of(record->second.grants, [&](const auto& grant) {
        return is_from(*grant, api, from) && is_to(*grant, service.name);
    });
}

std::span<const ObjectName> ReferenceGrants::users(const Symbol& ns) const {
    const auto record = namespaces_.find(ns);
    if (record == namespaces_.end()) return {};
    return record->second.users;
}

void ReferenceGrants::drop_if_idle(const Symbol& ns) {
    const auto record = namespaces_.find(ns);
    if (record->second.grants.empty() && record->second.users.empty()) namespaces_.erase(record);
}

} // namespace weir
