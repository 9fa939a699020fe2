// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_tier.h"

#include "agent/kube/decode_metadata.h"
#include "agent/kube/decode_network.h"
#include "agent/kube/decode_tier_rule.h"
#include "agent/kube/syntax.h"
#include "agent/kube/tier_dialect.h"

namespace weir {
namespace {

constexpr std::int64_t kMaxPriority = 1000;

Tier decode_tier(const Field& field) {
    if (field.is_missing()) field.error("is required", "use Admin or Baseline");
    const auto text = field.string();
    if (text && *text != "Admin" && *text != "Baseline") {
        field.error("unknown tier " + quote(*text), "use Admin or Baseline");
    }
    return text == "Baseline" ? Tier::kBaseline : Tier::kAdmin;
}

std::uint16_t decode_priority(const Field& field) {
    if (field.is_missing()) field.error("is required", "use a number from 0 to 1000");
    const std::int64_t priority = field.integer().value_or(0);
    if (priority >= 0 && priority <= kMaxPriority) return static_cast<std::uint16_t>(priority);
    field.error(std::to_string(priority) + " is out of range", "use a number from 0 to 1000");
    return 0;
}

PodSelection decode_subject(const Field& field, const TierDialect& dialect) {
    if (field.is_missing()) field.error("is required", "give namespaces or pods");
    if (!field.is_mapping()) return {};
    field.allow_only({"namespaces", "pods"});
    const auto chosen = field.only_one_of({"namespaces", "pods"});
    if (!chosen) field.error("selects nothing", "give namespaces or pods; {} is everything");
    return chosen ? decode_pod_selection(field, *chosen, dialect) : PodSelection{};
}

std::vector<TierRule> decode_rules(const Field& field, std::string_view peers,
                                   const TierDialect& dialect) {
    std::vector<TierRule> rules;
    if (field.size() > 0) check_optional_size(field, dialect.most_items);
    field.each_item(
        [&](const Field& item) { rules.push_back(decode_tier_rule(item, peers, dialect)); });
    return rules;
}

void allow_only(const Field& spec, const TierDialect& dialect) {
    if (dialect.has_tier) {
        spec.allow_only({"tier", "priority", "subject", "ingress", "egress"});
    } else if (dialect.has_priority) {
        spec.allow_only({"priority", "subject", "ingress", "egress"});
    } else {
        spec.allow_only({"subject", "ingress", "egress"});
    }
}

// "Only one baseline admin network policy with metadata.name="default" can be created in the
// cluster"
void check_name(const Field& field, const ObjectName& name) {
    if (name.name.get() == "default" || name.name.get().empty()) return;
    field.error(
        "a BaselineAdminNetworkPolicy must be called 'default', is " + quote(name.name.get()),
        "the cluster has only one: rename it");
}

} // namespace

TierPolicy decode_tier_policy(const Field& root, const ObjectName& name, TierPolicy::Api api) {
    const TierDialect dialect = TierDialect::of(api);
    const bool is_baseline = api == TierPolicy::Api::kBaselineAdminNetworkPolicy;
    TierPolicy policy;
    policy.api = api;
    policy.name = name;
    policy.tier = is_baseline ? Tier::kBaseline : Tier::kAdmin;
    static_cast<void>(decode_metadata(root["metadata"]));
    policy.enforcement = decode_enforcement(root["metadata"]);
    if (is_baseline) check_name(root["metadata"]["name"], name);
    const Field spec = root["spec"];
    if (spec.is_missing()) spec.error("is required");
    if (!spec.is_mapping()) return policy;
    allow_only(spec, dialect);
    if (dialect.has_tier) policy.tier = decode_tier(spec["tier"]);
    if (dialect.has_priority) policy.priority = decode_priority(spec["priority"]);
    policy.subjects = decode_subject(spec["subject"], dialect);
    policy.ingress = decode_rules(spec["ingress"], "from", dialect);
    policy.egress = decode_rules(spec["egress"], "to", dialect);
    return policy;
}

} // namespace weir
