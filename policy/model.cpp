// SPDX-License-Identifier: Apache-2.0
#include "policy/model.h"

namespace weir {
namespace {

Kind kind_of(TierPolicy::Api api) {
    switch (api) {
        case TierPolicy::Api::kAdminNetworkPolicy:
            return Kind::kAdminNetworkPolicy;
        case TierPolicy::Api::kBaselineAdminNetworkPolicy:
            return Kind::kBaselineAdminNetworkPolicy;
        case TierPolicy::Api::kClusterNetworkPolicy:
            break;
    }
    return Kind::kClusterNetworkPolicy;
}

Kind kind_of(TrafficRoute::Api api) {
    switch (api) {
        case TrafficRoute::Api::kGrpc:
            return Kind::kGrpcRoute;
        case TrafficRoute::Api::kTcp:
            return Kind::kTcpRoute;
        case TrafficRoute::Api::kHttp:
            break;
    }
    return Kind::kHttpRoute;
}

struct KeyOf {
    ObjectKey operator()(const Namespace& ns) const { return {Kind::kNamespace, {{}, ns.name}}; }
    ObjectKey operator()(const Node& node) const { return {Kind::kNode, {{}, node.name}}; }
    ObjectKey operator()(const Pod& pod) const { return {Kind::kPod, pod.name}; }
    ObjectKey operator()(const NetworkPolicy& policy) const {
        return {Kind::kNetworkPolicy, policy.name};
    }
    ObjectKey operator()(const TierPolicy& policy) const {
        return {kind_of(policy.api), policy.name};
    }
    ObjectKey operator()(const AuthorizationPolicy& policy) const {
        return {Kind::kAuthorizationPolicy, policy.name};
    }
    ObjectKey operator()(const Service& service) const { return {Kind::kService, service.name}; }
    ObjectKey operator()(const EndpointSlice& slice) const {
        return {Kind::kEndpointSlice, slice.name};
    }
    ObjectKey operator()(const TrafficRoute& route) const {
        return {kind_of(route.api), route.name};
    }
    ObjectKey operator()(const ReferenceGrant& grant) const {
        return {Kind::kReferenceGrant, grant.name};
    }
    ObjectKey operator()(const DestinationRule& rule) const {
        return {Kind::kDestinationRule, rule.name};
    }
};

} // namespace

const char* to_string(Kind kind) {
    switch (kind) {
        case Kind::kNamespace:
            return "Namespace";
        case Kind::kNode:
            return "Node";
        case Kind::kPod:
            return "Pod";
        case Kind::kNetworkPolicy:
            return "NetworkPolicy";
        case Kind::kClusterNetworkPolicy:
            return "ClusterNetworkPolicy";
        case Kind::kAdminNetworkPolicy:
            return "AdminNetworkPolicy";
        case Kind::kBaselineAdminNetworkPolicy:
            return "BaselineAdminNetworkPolicy";
        case Kind::kAuthorizationPolicy:
            return "AuthorizationPolicy";
        case Kind::kService:
            return "Service";
        case Kind::kEndpointSlice:
            return "EndpointSlice";
        case Kind::kHttpRoute:
            return "HTTPRoute";
        case Kind::kGrpcRoute:
            return "GRPCRoute";
        case Kind::kTcpRoute:
            return "TCPRoute";
        case Kind::kReferenceGrant:
            return "ReferenceGrant";
        case Kind::kDestinationRule:
            return "DestinationRule";
    }
    return "unknown";
}

std::string to_string(const ObjectKey& key) {
    std::string text = std::string(to_string(key.kind)) + " ";
    if (!key.name.ns.get().empty()) text += key.name.ns.get() + "/";
    return text + key.name.name.get();
}

bool is_policy_kind(Kind kind) {
    return kind != Kind::kNamespace && kind != Kind::kNode && kind != Kind::kPod &&
           !is_service_kind(kind);
}

bool is_service_kind(Kind kind) {
    return kind >= Kind::kService;
}

ObjectKey key_of(const Object& object) {
    return std::visit(KeyOf{}, object);
}

bool Change::has_kind(bool (*predicate)(Kind)) const {
    return std::ranges::any_of(
               upserts, [&](const auto& object) { return predicate(key_of(object).kind); }) ||
           std::ranges::any_of(erasures, [&](const auto& key) { return predicate(key.kind); });
}

} // namespace weir
