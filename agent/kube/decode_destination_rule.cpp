// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_destination_rule.h"

#include <algorithm>

#include "agent/kube/decode_duration.h"
#include "agent/kube/decode_metadata.h"
#include "agent/kube/syntax.h"

namespace weir {
namespace {

constexpr std::uint32_t kDefaultConsecutive = 5; // "Defaults to 5"

// "reviews" and "reviews.shop.svc.cluster.local"; a name without namespace is in the rule's own.
std::optional<ObjectName> service_of(std::string_view host, const ObjectName& rule) {
    if (host.empty() || host.find('*') != host.npos) return std::nullopt;
    const std::size_t dot = host.find('.');
    if (dot == host.npos) return ObjectName{rule.ns, Symbol(std::string(host))};
    const std::string_view rest = host.substr(dot + 1);
    const std::size_t end = rest.find('.');
    const std::string_view suffix = end == rest.npos ? "" : rest.substr(end + 1);
    if (suffix != "svc" && !suffix.starts_with("svc.")) return std::nullopt;
    return ObjectName{Symbol(std::string(rest.substr(0, end))),
                      Symbol(std::string(host.substr(0, dot)))};
}

// A number from 0 to `most`; the fallback when it is missing or another, which is reported.
std::uint32_t number(const Field& field, std::uint32_t fallback,
                     std::int64_t most = 1'000'000'000) {
    const auto value = field.integer();
    if (!value) return fallback;
    if (*value >= 0 && *value <= most) return static_cast<std::uint32_t>(*value);
    field.error("must be between 0 and " + std::to_string(most));
    return fallback;
}

// "When the upstream host is accessed over an opaque TCP connection, connect timeouts and
// connection error/failure events qualify as an error", for both of the first two.
std::uint32_t decode_consecutive(const Field& field) {
    const Field local = field["consecutiveLocalOriginFailures"];
    const Field split = field["splitExternalLocalOriginErrors"];
    if (split.boolean().value_or(false)) return number(local, kDefaultConsecutive);
    const std::uint32_t errors = number(field["consecutive5xxErrors"], kDefaultConsecutive);
    const std::uint32_t gateway = number(field["consecutiveGatewayErrors"], 0);
    if (gateway == 0) return errors;
    return errors == 0 ? gateway : std::min(errors, gateway);
}

DestinationRule::Outliers decode_outliers(const Field& field) {
    DestinationRule::Outliers outliers;
    if (field.is_missing() || !field.is_mapping()) return outliers;
    field.allow_only({"consecutiveErrors", "splitExternalLocalOriginErrors",
                      "consecutiveLocalOriginFailures", "consecutiveGatewayErrors",
                      "consecutive5xxErrors", "interval", "baseEjectionTime", "maxEjectionPercent",
                      "minHealthPercent"});
    outliers.consecutive = decode_consecutive(field);
    outliers.interval_ms = decode_duration(field["interval"]).value_or(outliers.interval_ms);
    outliers.ejection_ms =
        decode_duration(field["baseEjectionTime"]).value_or(outliers.ejection_ms);
    outliers.most_percent =
        static_cast<std::uint8_t>(number(field["maxEjectionPercent"], outliers.most_percent, 100));
    return outliers;
}

void warn_of_unused(const Field& policy) {
    for (const std::string_view name :
         {"loadBalancer", "portLevelSettings", "tls", "tunnel", "proxyProtocol", "retryBudget"}) {
        const Field member = policy[name];
        if (!member.is_missing()) {
            member.warning("is not applied",
                           "Weir applies connectionPool.tcp.maxConnections and "
                           "outlierDetection of the whole host");
        }
    }
}

} // namespace

std::optional<DestinationRule> decode_destination_rule(const Field& root, const ObjectName& name) {
    DestinationRule rule;
    rule.name = name;
    const Field metadata = root["metadata"];
    static_cast<void>(decode_metadata(metadata));
    rule.created = decode_creation(metadata);
    const Field spec = root["spec"];
    if (spec.is_missing() || !spec.is_mapping()) return std::nullopt;
    const Field host = spec["host"];
    if (host.is_missing()) host.error("is required", "name a Service");
    const auto service = service_of(host.string().value_or(""), name);
    const Field policy = spec["trafficPolicy"];
    if (policy.is_missing() || !policy.is_mapping()) return std::nullopt;
    warn_of_unused(policy);
    const Field pool = policy["connectionPool"];
    const Field tcp = pool["tcp"];
    rule.max_connections = number(tcp["maxConnections"], 0);
    const Field outliers = policy["outlierDetection"];
    rule.outliers = decode_outliers(outliers);
    if (rule.max_connections == 0 && rule.outliers.consecutive == 0) return std::nullopt;
    if (!service || service->ns != name.ns) {
        host.warning(quote(host.string().value_or("")) +
                         " is no Service of the rule's namespace: "
                         "the rule is not applied",
                     "write NAME or NAME.NAMESPACE.svc.cluster.local, in that namespace");
        return std::nullopt;
    }
    rule.service = *service;
    return rule;
}

} // namespace weir
