// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/kind.h"

#include <algorithm>
#include <array>

namespace weir {
namespace {

using namespace std::string_view_literals;

constexpr std::array kUsedKinds = {Kind::kNamespace, Kind::kNode, Kind::kPod, Kind::kNetworkPolicy};
constexpr std::string_view kPolicyGroup = "networking.k8s.io";

// The kinds of the two groups that Weir reads from.
constexpr std::array kCoreKinds = {"Binding"sv,     "ComponentStatus"sv,
                                   "ConfigMap"sv,   "Endpoints"sv,
                                   "Event"sv,       "LimitRange"sv,
                                   "Namespace"sv,   "Node"sv,
                                   "Pod"sv,         "PersistentVolume"sv,
                                   "PodTemplate"sv, "PersistentVolumeClaim"sv,
                                   "Secret"sv,      "ReplicationController"sv,
                                   "Service"sv,     "ResourceQuota"sv,
                                   "List"sv,        "ServiceAccount"sv};
constexpr std::array kNetworkingKinds = {"Ingress"sv, "IngressClass"sv, "NetworkPolicy"sv,
                                         "IPAddress"sv, "ServiceCIDR"sv};

std::string_view group_of(std::string_view api_version) {
    const std::size_t slash = api_version.find('/');
    return slash == api_version.npos ? "" : api_version.substr(0, slash);
}

std::string_view group_of(Kind kind) {
    return kind == Kind::kNetworkPolicy ? kPolicyGroup : "";
}

bool is_known(std::string_view group, std::string_view kind) {
    if (kind.ends_with("List") && kind != "List") kind.remove_suffix(4);
    if (group.empty()) return std::ranges::find(kCoreKinds, kind) != kCoreKinds.end();
    if (group != kPolicyGroup) return true;
    return std::ranges::find(kNetworkingKinds, kind) != kNetworkingKinds.end();
}

KindInfo info_of(Kind kind, std::string_view api_version) {
    KindInfo info;
    info.kind = kind;
    if (kind == Kind::kNetworkPolicy) info.api_version = "networking.k8s.io/v1";
    const bool is_served = api_version == info.api_version;
    info.use = is_served ? KindUse::kUsed : KindUse::kUnknownVersion;
    return info;
}

} // namespace

KindInfo kind_info(std::string_view api_version, std::string_view kind) {
    const std::string_view group = group_of(api_version);
    if (group.empty() && kind == "List") return {KindUse::kList, Kind::kPod, std::nullopt, "v1"};
    for (const Kind used : kUsedKinds) {
        // NetworkPolicy once lived in extensions/v1beta1; elsewhere the name is another's.
        const bool is_ours =
            group == group_of(used) || (used == Kind::kNetworkPolicy && group == "extensions");
        if (!is_ours) continue;
        const std::string_view name = to_string(used);
        if (kind == name) return info_of(used, api_version);
        if (kind.size() == name.size() + 4 && kind.starts_with(name) && kind.ends_with("List")) {
            KindInfo info = info_of(used, api_version);
            if (info.use == KindUse::kUsed) info.use = KindUse::kList;
            info.list_of = used;
            return info;
        }
    }
    KindInfo info;
    info.use = is_known(group, kind) ? KindUse::kIgnored : KindUse::kUnknownKind;
    return info;
}

bool is_namespaced(Kind kind) {
    return kind == Kind::kPod || kind == Kind::kNetworkPolicy;
}

} // namespace weir
