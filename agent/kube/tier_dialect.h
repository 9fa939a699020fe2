// SPDX-License-Identifier: Apache-2.0
// What the kinds of policy.networking.k8s.io say in different words, and how much of it.
#pragma once

#include <cstddef>
#include <string_view>

#include "policy/model.h"

namespace weir {

struct TierDialect {
    TierPolicy::Api api = TierPolicy::Api::kClusterNetworkPolicy;
    std::string_view accept = "Accept"; // v1alpha1: "Allow"
    std::string_view ports = "protocols";
    std::size_t most_items = 25; // rules of a direction, and peers and ports of a rule
    bool has_pass = true;        // BaselineAdminNetworkPolicy has no next tier
    bool has_tier = true;        // spec.tier
    bool has_priority = true;
    bool needs_namespaces = false; // namespaceSelector beside podSelector

    bool is_v1alpha1() const { return api != TierPolicy::Api::kClusterNetworkPolicy; }

    static TierDialect of(TierPolicy::Api api) {
        TierDialect dialect;
        dialect.api = api;
        if (!dialect.is_v1alpha1()) return dialect;
        const bool is_baseline = api == TierPolicy::Api::kBaselineAdminNetworkPolicy;
        dialect.accept = "Allow";
        dialect.ports = "ports";
        dialect.most_items = 100;
        dialect.has_pass = !is_baseline;
        dialect.has_tier = false;
        dialect.has_priority = !is_baseline;
        dialect.needs_namespaces = true;
        return dialect;
    }
};

} // namespace weir
