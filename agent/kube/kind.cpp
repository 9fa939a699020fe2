// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/kind.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace weir {
namespace {

using namespace std::string_view_literals;

struct UsedKind {
    Kind kind;
    std::string_view group;
    std::string_view api_version; // the one to use
    std::string_view plural;
    std::string_view other_version = {}; // of the same schema
    std::string_view earlier_group = {}; // where the kind once lived
    bool is_namespaced = false;
    bool is_built_in = false;            // served by every API server
    std::string_view older_version = {}; // of the same schema as well
};

constexpr auto kPolicyGroup = "networking.k8s.io"sv;
constexpr auto kTierGroup = "policy.networking.k8s.io"sv;
constexpr auto kIstioGroup = "security.istio.io"sv;
constexpr auto kDiscoveryGroup = "discovery.k8s.io"sv;
constexpr auto kGatewayGroup = "gateway.networking.k8s.io"sv;
constexpr auto kTrafficGroup = "networking.istio.io"sv;
constexpr auto kGateway1 = "gateway.networking.k8s.io/v1"sv;
constexpr auto kAlpha1 = "policy.networking.k8s.io/v1alpha1"sv;

constexpr std::array kUsedKinds = {
    UsedKind{Kind::kNamespace, "", "v1", "namespaces", "", "", false, true},
    UsedKind{Kind::kNode, "", "v1", "nodes", "", "", false, true},
    UsedKind{Kind::kPod, "", "v1", "pods", "", "", true, true},
    UsedKind{Kind::kNetworkPolicy, kPolicyGroup, "networking.k8s.io/v1", "networkpolicies", "",
             "extensions", true, true},
    UsedKind{Kind::kClusterNetworkPolicy, kTierGroup, "policy.networking.k8s.io/v1alpha2",
             "clusternetworkpolicies"},
    UsedKind{Kind::kAdminNetworkPolicy, kTierGroup, kAlpha1, "adminnetworkpolicies"},
    UsedKind{Kind::kBaselineAdminNetworkPolicy, kTierGroup, kAlpha1,
             "baselineadminnetworkpolicies"},
    UsedKind{Kind::kAuthorizationPolicy, kIstioGroup, "security.istio.io/v1",
             "authorizationpolicies", "security.istio.io/v1beta1", "", true},
    UsedKind{Kind::kService, "", "v1", "services", "", "", true, true},
    UsedKind{Kind::kEndpointSlice, kDiscoveryGroup, "discovery.k8s.io/v1", "endpointslices", "", "",
             true, true},
    UsedKind{Kind::kHttpRoute, kGatewayGroup, kGateway1, "httproutes",
             "gateway.networking.k8s.io/v1beta1", "", true},
    UsedKind{Kind::kGrpcRoute, kGatewayGroup, kGateway1, "grpcroutes",
             "gateway.networking.k8s.io/v1alpha2", "", true},
    // In the standard channel since Gateway API 1.6.
    UsedKind{Kind::kTcpRoute, kGatewayGroup, kGateway1, "tcproutes",
             "gateway.networking.k8s.io/v1alpha2", "", true},
    // v1 since Gateway API 1.5, which serves v1beta1 as well.
    UsedKind{Kind::kReferenceGrant, kGatewayGroup, "gateway.networking.k8s.io/v1beta1",
             "referencegrants", kGateway1, "", true},
    UsedKind{Kind::kDestinationRule, kTrafficGroup, "networking.istio.io/v1", "destinationrules",
             "networking.istio.io/v1beta1", "", true, false, "networking.istio.io/v1alpha3"}};
static_assert(kUsedKinds.size() == kKinds.size());

// The kinds of the groups that Weir reads from.
constexpr std::array kCoreKinds = {"Binding"sv,     "ComponentStatus"sv,
                                   "ConfigMap"sv,   "Endpoints"sv,
                                   "Event"sv,       "LimitRange"sv,
                                   "Namespace"sv,   "Node"sv,
                                   "Pod"sv,         "PersistentVolume"sv,
                                   "PodTemplate"sv, "PersistentVolumeClaim"sv,
                                   "Secret"sv,      "ReplicationController"sv,
                                   "Service"sv,     "ResourceQuota"sv,
                                   "List"sv,        "ServiceAccount"sv};
constexpr std::array kPolicyKinds = {"Ingress"sv, "IngressClass"sv, "NetworkPolicy"sv,
                                     "IPAddress"sv, "ServiceCIDR"sv};
constexpr std::array kTierKinds = {"ClusterNetworkPolicy"sv, "AdminNetworkPolicy"sv,
                                   "BaselineAdminNetworkPolicy"sv, "ExternalNetworkSet"sv};
constexpr std::array kIstioKinds = {"AuthorizationPolicy"sv, "PeerAuthentication"sv,
                                    "RequestAuthentication"sv};

// Every kind is in the list: see the assertion.
const UsedKind& used_kind(Kind kind) {
    return *std::ranges::find(kUsedKinds, kind, &UsedKind::kind);
}

std::string_view group_of(std::string_view api_version) {
    const std::size_t slash = api_version.find('/');
    return slash == api_version.npos ? "" : api_version.substr(0, slash);
}

bool is_known(std::string_view group, std::string_view kind) {
    if (kind.ends_with("List") && kind != "List") kind.remove_suffix(4);
    const auto is_one_of = [&](const auto& kinds) {
        return std::ranges::find(kinds, kind) != kinds.end();
    };
    if (group.empty()) return is_one_of(kCoreKinds);
    if (group == kPolicyGroup) return is_one_of(kPolicyKinds);
    if (group == kTierGroup) return is_one_of(kTierKinds);
    return group != kIstioGroup || is_one_of(kIstioKinds);
}

KindInfo info_of(const UsedKind& used, std::string_view api_version) {
    const bool is_read = api_version == used.api_version || api_version == used.other_version ||
                         api_version == used.older_version;
    return {is_read ? KindUse::kUsed : KindUse::kUnknownVersion, used.kind, std::nullopt,
            used.api_version};
}

bool is_list_of(std::string_view kind, std::string_view item) {
    return kind.size() == item.size() + 4 && kind.starts_with(item) && kind.ends_with("List");
}

} // namespace

KindInfo kind_info(std::string_view api_version, std::string_view kind) {
    const std::string_view group = group_of(api_version);
    if (group.empty() && kind == "List") return {KindUse::kList, Kind::kPod, std::nullopt, "v1"};
    for (const UsedKind& used : kUsedKinds) {
        // In other groups the name is another's.
        const bool was_moved = !used.earlier_group.empty() && group == used.earlier_group;
        if (group != used.group && !was_moved) continue;
        const std::string_view name = to_string(used.kind);
        if (kind == name) return info_of(used, api_version);
        if (is_list_of(kind, name)) {
            KindInfo info = info_of(used, api_version);
            if (info.use == KindUse::kUsed) info.use = KindUse::kList;
            info.list_of = used.kind;
            return info;
        }
    }
    KindInfo info;
    info.use = is_known(group, kind) ? KindUse::kIgnored : KindUse::kUnknownKind;
    return info;
}

bool is_namespaced(Kind kind) {
    return used_kind(kind).is_namespaced;
}

std::vector<Kind> watched_kinds(bool with_services) {
    std::vector<Kind> kinds;
    std::ranges::copy_if(kKinds, std::back_inserter(kinds), [with_services](Kind kind) {
        return with_services || !is_service_kind(kind);
    });
    return kinds;
}

ApiResource api_resource(Kind kind) {
    const UsedKind& used = used_kind(kind);
    const std::string_view version =
        used.group.empty() ? used.api_version : used.api_version.substr(used.group.size() + 1);
    return {used.group, version, used.plural, !used.is_built_in};
}

std::string ApiResource::path(std::string_view ns) const {
    const std::string root = group.empty() ? "/api/" : "/apis/" + std::string(group) + "/";
    const std::string in = ns.empty() ? "" : "namespaces/" + std::string(ns) + "/";
    return root + std::string(version) + "/" + in + std::string(plural);
}

std::string ApiResource::api_version() const {
    return (group.empty() ? "" : std::string(group) + "/") + std::string(version);
}

std::string ApiResource::name() const {
    return std::string(plural) + (group.empty() ? "" : "." + std::string(group));
}

} // namespace weir
