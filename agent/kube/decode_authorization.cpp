// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_authorization.h"

#include "agent/kube/decode_authorization_rule.h"
#include "agent/kube/decode_metadata.h"
#include "agent/kube/decode_selector.h"
#include "agent/kube/syntax.h"

namespace weir {
namespace {

constexpr std::string_view kDryRun = "istio.io/dry-run";

// "Default is ALLOW if not specified."
std::string_view decode_action(const Field& field) {
    constexpr std::string_view by_default = "ALLOW";
    const auto text = field.string();
    if (!text) return by_default;
    for (const std::string_view known : {"ALLOW", "DENY", "AUDIT", "CUSTOM"}) {
        if (*text == known) return *text;
    }
    field.error("unknown action " + quote(*text), "use ALLOW or DENY, in capitals");
    return by_default;
}

Selector decode_workloads(const Field& field) {
    if (!field.is_mapping()) return {};
    field.allow_only({"matchLabels"});
    field["matchLabels"].each_member([](std::string_view, const Field& value) {
        if (value.is_string() && value.string()->find('*') != std::string_view::npos) {
            value.error("a wildcard is not allowed here", "write the label's value");
        }
    });
    return decode_selector(field, SelectorForm::kLabelsOnly);
}

// What of the policy Weir does not enforce; true when there is such a thing.
bool warn_of_unenforced(const Field& spec, std::string_view action) {
    const auto targets = spec.only_one_of({"targetRefs", "targetRef"});
    if (targets) {
        spec[*targets].warning("Weir does not enforce policies with " + std::string(*targets) +
                                   ": the whole policy is not in force",
                               "select workloads by selector.matchLabels");
    }
    const bool is_other_action = action == "CUSTOM" || action == "AUDIT";
    if (is_other_action) {
        spec["action"].warning("Weir does not enforce the action " + std::string(action) +
                                   ": the whole policy is not in force",
                               action == "AUDIT" ? "to record what a policy would deny, use ALLOW "
                                                   "or DENY with the annotation istio.io/dry-run"
                                                 : "use ALLOW or DENY");
    }
    return targets.has_value() || is_other_action;
}

void check_scope(const Field& spec, std::string_view action) {
    const bool has_targets = !spec["targetRefs"].is_missing() || !spec["targetRef"].is_missing();
    if (has_targets && !spec["selector"].is_missing()) {
        spec.error("selector and targetRefs exclude each other", "remove one of the two");
    }
    if (!spec["provider"].is_missing() && action != "CUSTOM") {
        spec["provider"].error("is only for the action CUSTOM", "remove it");
    }
    if (action == "DENY" && spec["rules"].size() == 0) {
        spec["rules"].error("a DENY policy without rules never denies",
                            "write the rule {} to deny everything");
    }
}

Enforcement decode_dry_run(const Field& metadata) {
    const auto is_dry_run = decode_switch(metadata["annotations"][kDryRun]);
    return is_dry_run.value_or(false) ? Enforcement::kDryRun : decode_enforcement(metadata);
}

} // namespace

std::optional<AuthorizationPolicy> decode_authorization_policy(const Field& root,
                                                               const ObjectName& name) {
    AuthorizationPolicy policy;
    policy.name = name;
    static_cast<void>(decode_metadata(root["metadata"]));
    policy.enforcement = decode_dry_run(root["metadata"]);
    const Field spec = root["spec"];
    if (spec.is_missing() || !spec.is_mapping()) return policy; // "spec: {}" allows nothing
    spec.allow_only({"selector", "targetRef", "targetRefs", "rules", "action", "provider"});
    const std::string_view action = decode_action(spec["action"]);
    check_scope(spec, action);
    const bool is_unenforced = warn_of_unenforced(spec, action);
    policy.is_deny = action == "DENY";
    policy.subjects = decode_workloads(spec["selector"]);
    std::uint32_t index = 0;
    spec["rules"].each_item([&](const Field& item) {
        AuthorizationRuleDecoder decoder(name.ns.get());
        AuthorizationRule rule = decoder.decode(item, index++);
        if (decoder.has_layer7() && !is_unenforced) decoder.warn(item, policy.is_deny);
        // "Within an ALLOW policy, rules matching HTTP attributes are omitted": as Istio's ambient
        // mode has it.
        if (!decoder.has_layer7() || policy.is_deny) policy.rules.push_back(std::move(rule));
    });
    if (is_unenforced) return std::nullopt;
    return policy;
}

} // namespace weir
