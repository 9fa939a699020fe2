// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_reference_grant.h"

#include "agent/kube/decode_metadata.h"
#include "agent/kube/decode_network.h"
#include "agent/kube/syntax.h"

namespace weir {
namespace {

constexpr std::size_t kMostEntries = 16; // of from and of to
constexpr std::string_view kGatewayGroupName = "gateway.networking.k8s.io";

std::optional<TrafficRoute::Api> route_api(std::string_view kind) {
    if (kind == "HTTPRoute") return TrafficRoute::Api::kHttp;
    if (kind == "GRPCRoute") return TrafficRoute::Api::kGrpc;
    if (kind == "TCPRoute") return TrafficRoute::Api::kTcp;
    return std::nullopt;
}

// The text of a required member; empty when it is missing, which is reported.
std::string_view required(const Field& field, std::string_view remedy) {
    if (field.is_missing()) field.error("is required", std::string(remedy));
    return field.string().value_or("");
}

// Whether a kind that Weir knows stands in its group: in another one the name is another's, and
// that is hardly ever meant.
bool is_in_group(const Field& field, std::string_view kind, std::string_view group) {
    const std::string remedy = "write group: " + std::string(group.empty() ? "\"\"" : group);
    const std::string_view given = required(field, remedy);
    if (given == group) return true;
    if (!field.is_missing()) {
        field.warning("has no kind " + quote(kind) + " that Weir knows: the entry is not applied",
                      remedy);
    }
    return false;
}

void decode_from(const Field& item, ReferenceGrant& grant) {
    item.allow_only({"group", "kind", "namespace"});
    const std::string_view kind = required(item["kind"], "name the kind of the routes");
    const std::string_view ns = required(item["namespace"], "name the namespace of the routes");
    const Complaint complaint = check_dns_label(ns);
    if (complaint && item["namespace"].is_string()) {
        item["namespace"].error("namespace " + quote(ns) + " " + *complaint);
    }
    const auto api = route_api(kind);
    if (!api) {
        static_cast<void>(required(item["group"], "name the group of the kind"));
    } else if (is_in_group(item["group"], kind, kGatewayGroupName)) {
        grant.from.push_back({*api, Symbol(std::string(ns))});
    }
}

void decode_to(const Field& item, ReferenceGrant& grant) {
    item.allow_only({"group", "kind", "name"});
    const std::string_view kind = required(item["kind"], "write kind: Service");
    const Field name = item["name"];
    if (!name.is_missing() && name.string() == "") {
        name.error("is empty", "leave it out for all of the kind");
    }
    if (kind != "Service") {
        static_cast<void>(required(item["group"], "name the group of the kind"));
    } else if (is_in_group(item["group"], kind, "")) {
        grant.to.emplace_back(std::string(name.string().value_or("")));
    }
}

} // namespace

std::optional<ReferenceGrant> decode_reference_grant(const Field& root, const ObjectName& name) {
    ReferenceGrant grant;
    grant.name = name;
    static_cast<void>(decode_metadata(root["metadata"]));
    const Field spec = root["spec"];
    if (spec.is_missing()) spec.error("is required", "give from and to");
    if (spec.is_missing() || !spec.is_mapping()) return std::nullopt;
    spec.allow_only({"from", "to"});
    check_required_size(spec["from"], kMostEntries);
    check_required_size(spec["to"], kMostEntries);
    spec["from"].each_item([&](const Field& item) {
        if (item.is_mapping()) decode_from(item, grant);
    });
    spec["to"].each_item([&](const Field& item) {
        if (item.is_mapping()) decode_to(item, grant);
    });
    if (grant.from.empty() || grant.to.empty()) return std::nullopt;
    return grant;
}

} // namespace weir
