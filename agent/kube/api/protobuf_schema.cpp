// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/protobuf_schema.h"

#include <algorithm>
#include <array>

namespace weir {
namespace {

using Field = ProtobufField;
using Message = ProtobufMessage;
using Type = ProtobufType;

constexpr Field text(std::uint32_t number, std::string_view name) {
    return {number, name, Type::kString};
}
constexpr Field texts(std::uint32_t number, std::string_view name) {
    return {number, name, Type::kString, true};
}
constexpr Field integer(std::uint32_t number, std::string_view name) {
    return {number, name, Type::kInteger};
}
constexpr Field boolean(std::uint32_t number, std::string_view name) {
    return {number, name, Type::kBoolean};
}
constexpr Field text_map(std::uint32_t number, std::string_view name) {
    return {number, name, Type::kStringMap};
}
constexpr Field one(std::uint32_t number, std::string_view name, const Message& message) {
    return {number, name, Type::kMessage, false, &message};
}
constexpr Field many(std::uint32_t number, std::string_view name, const Message& message) {
    return {number, name, Type::kMessage, true, &message};
}

// k8s.io.apimachinery.pkg.apis.meta.v1

constexpr Field kCreation{8, "creationTimestamp", Type::kTime};
constexpr std::array kObjectMetaFields = {text(1, "name"),
                                          text(3, "namespace"),
                                          text(5, "uid"),
                                          text(6, "resourceVersion"),
                                          integer(7, "generation"),
                                          text_map(11, "labels"),
                                          text_map(12, "annotations"),
                                          kCreation};
// A time costs as much as all of the rest: for those whose age decides something.
constexpr Message kDatedObjectMeta{kObjectMetaFields};
constexpr Message kObjectMeta{std::span(kObjectMetaFields).first(kObjectMetaFields.size() - 1)};

constexpr std::array kRequirementFields = {text(1, "key"), text(2, "operator"), texts(3, "values")};
constexpr Message kRequirement{kRequirementFields, true};
constexpr std::array kLabelSelectorFields = {text_map(1, "matchLabels"),
                                             many(2, "matchExpressions", kRequirement)};
constexpr Message kLabelSelector{kLabelSelectorFields, true};

// k8s.io.api.core.v1

constexpr std::array kContainerPortFields = {text(1, "name"), integer(2, "hostPort"),
                                             integer(3, "containerPort"), text(4, "protocol"),
                                             text(5, "hostIP")};
constexpr Message kContainerPort{kContainerPortFields};
constexpr std::array kContainerFields = {many(6, "ports", kContainerPort),
                                         text(24, "restartPolicy")};
constexpr Message kContainer{kContainerFields};
constexpr std::array kPodSpecFields = {
    many(2, "containers", kContainer), text(8, "serviceAccountName"), text(10, "nodeName"),
    boolean(11, "hostNetwork"), many(20, "initContainers", kContainer)};
constexpr Message kPodSpec{kPodSpecFields};
constexpr std::array kPodAddressFields = {text(1, "ip")};
constexpr Message kPodAddress{kPodAddressFields};
constexpr std::array kPodStatusFields = {text(1, "phase"), text(6, "podIP"),
                                         many(12, "podIPs", kPodAddress)};
constexpr Message kPodStatus{kPodStatusFields};
constexpr std::array kPodFields = {one(1, "metadata", kObjectMeta), one(2, "spec", kPodSpec),
                                   one(3, "status", kPodStatus)};
constexpr Message kPod{kPodFields};

constexpr std::array kNamespaceFields = {one(1, "metadata", kObjectMeta)};
constexpr Message kNamespace{kNamespaceFields};

constexpr std::array kNodeAddressFields = {text(1, "type"), text(2, "address")};
constexpr Message kNodeAddress{kNodeAddressFields};
constexpr std::array kNodeStatusFields = {many(5, "addresses", kNodeAddress)};
constexpr Message kNodeStatus{kNodeStatusFields};
constexpr std::array kNodeFields = {one(1, "metadata", kObjectMeta), one(3, "status", kNodeStatus)};
constexpr Message kNode{kNodeFields};

constexpr std::array kServicePortFields = {
    text(1, "name"),        text(2, "protocol"),
    integer(3, "port"),     Field{4, "targetPort", Type::kIntOrString},
    integer(5, "nodePort"), text(6, "appProtocol")};
constexpr Message kServicePort{kServicePortFields};
constexpr std::array kClientIpFields = {integer(1, "timeoutSeconds")};
constexpr Message kClientIp{kClientIpFields};
constexpr std::array kAffinityFields = {one(1, "clientIP", kClientIp)};
constexpr Message kAffinity{kAffinityFields};
constexpr std::array kServiceSpecFields = {many(1, "ports", kServicePort),
                                           text_map(2, "selector"),
                                           text(3, "clusterIP"),
                                           text(4, "type"),
                                           texts(5, "externalIPs"),
                                           text(7, "sessionAffinity"),
                                           text(8, "loadBalancerIP"),
                                           texts(9, "loadBalancerSourceRanges"),
                                           text(10, "externalName"),
                                           text(11, "externalTrafficPolicy"),
                                           integer(12, "healthCheckNodePort"),
                                           boolean(13, "publishNotReadyAddresses"),
                                           one(14, "sessionAffinityConfig", kAffinity),
                                           text(17, "ipFamilyPolicy"),
                                           texts(18, "clusterIPs"),
                                           texts(19, "ipFamilies"),
                                           boolean(20, "allocateLoadBalancerNodePorts"),
                                           text(21, "loadBalancerClass"),
                                           text(22, "internalTrafficPolicy"),
                                           text(23, "trafficDistribution")};
static_assert(kServiceSpecFields.size() <= kMostProtobufFields);
constexpr Message kServiceSpec{kServiceSpecFields, true};
constexpr std::array kIngressFields = {text(1, "ip"), text(3, "ipMode")};
constexpr Message kIngress{kIngressFields};
constexpr std::array kLoadBalancerFields = {many(1, "ingress", kIngress)};
constexpr Message kLoadBalancer{kLoadBalancerFields};
constexpr std::array kServiceStatusFields = {one(1, "loadBalancer", kLoadBalancer)};
constexpr Message kServiceStatus{kServiceStatusFields};
constexpr std::array kServiceFields = {one(1, "metadata", kDatedObjectMeta),
                                       one(2, "spec", kServiceSpec),
                                       one(3, "status", kServiceStatus)};
constexpr Message kService{kServiceFields};

// k8s.io.api.networking.v1

constexpr std::array kIpBlockFields = {text(1, "cidr"), texts(2, "except")};
constexpr Message kIpBlock{kIpBlockFields, true};
constexpr std::array kPeerFields = {one(1, "podSelector", kLabelSelector),
                                    one(2, "namespaceSelector", kLabelSelector),
                                    one(3, "ipBlock", kIpBlock)};
constexpr Message kPeer{kPeerFields, true};
constexpr std::array kPolicyPortFields = {text(1, "protocol"), Field{2, "port", Type::kIntOrString},
                                          integer(3, "endPort")};
constexpr Message kPolicyPort{kPolicyPortFields, true};
constexpr std::array kIngressRuleFields = {many(1, "ports", kPolicyPort), many(2, "from", kPeer)};
constexpr Message kIngressRule{kIngressRuleFields, true};
constexpr std::array kEgressRuleFields = {many(1, "ports", kPolicyPort), many(2, "to", kPeer)};
constexpr Message kEgressRule{kEgressRuleFields, true};
constexpr std::array kNetworkPolicySpecFields = {
    one(1, "podSelector", kLabelSelector), many(2, "ingress", kIngressRule),
    many(3, "egress", kEgressRule), texts(4, "policyTypes")};
constexpr Message kNetworkPolicySpec{kNetworkPolicySpecFields, true};
constexpr std::array kNetworkPolicyFields = {one(1, "metadata", kObjectMeta),
                                             one(2, "spec", kNetworkPolicySpec)};
constexpr Message kNetworkPolicy{kNetworkPolicyFields}; // there was a status (3) in 1.24

// k8s.io.api.discovery.v1

constexpr std::array kConditionsFields = {boolean(1, "ready"), boolean(2, "serving"),
                                          boolean(3, "terminating")};
constexpr Message kConditions{kConditionsFields};
constexpr std::array kHintFields = {text(1, "name")};
constexpr Message kHint{kHintFields};
constexpr std::array kHintsFields = {many(1, "forZones", kHint), many(2, "forNodes", kHint)};
constexpr Message kHints{kHintsFields};
constexpr std::array kEndpointFields = {texts(1, "addresses"), one(2, "conditions", kConditions),
                                        text(6, "nodeName"), one(8, "hints", kHints)};
constexpr Message kEndpoint{kEndpointFields};
constexpr std::array kEndpointPortFields = {text(1, "name"), text(2, "protocol"),
                                            integer(3, "port")};
constexpr Message kEndpointPort{kEndpointPortFields};
constexpr std::array kEndpointSliceFields = {
    one(1, "metadata", kObjectMeta), many(2, "endpoints", kEndpoint),
    many(3, "ports", kEndpointPort), text(4, "addressType")};
constexpr Message kEndpointSlice{kEndpointSliceFields};

struct Resource {
    std::string_view group;
    std::string_view plural;
    const Message* message;
};
constexpr std::array kResources = {
    Resource{"", "pods", &kPod},
    Resource{"", "namespaces", &kNamespace},
    Resource{"", "nodes", &kNode},
    Resource{"", "services", &kService},
    Resource{"networking.k8s.io", "networkpolicies", &kNetworkPolicy},
    Resource{"discovery.k8s.io", "endpointslices", &kEndpointSlice}};

} // namespace

const ProtobufMessage* protobuf_schema(const ApiResource& resource) {
    const auto found = std::ranges::find_if(kResources, [&](const Resource& known) {
        return known.group == resource.group && known.plural == resource.plural;
    });
    return found == kResources.end() || resource.version != "v1" ? nullptr : found->message;
}

} // namespace weir
