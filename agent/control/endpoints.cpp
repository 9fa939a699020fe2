// SPDX-License-Identifier: Apache-2.0
// The answers about endpoints.
#include <fmt/format.h>

#include <algorithm>

#include "agent/control/answers.h"
#include "agent/enforcer.h"
#include "agent/inventory.h"

namespace weir {
namespace {

std::string mac_text(const Mac& mac) {
    return fmt::format("{:02x}", fmt::join(mac, ":"));
}

void fill_side(v1::PodSide& message, const ControlContext& context, std::uint32_t slot,
               weir_direction direction) {
    const std::uint64_t word = context.enforcer.dataplane().maps().pods[slot].rules[direction];
    const auto policies = context.enforcer.compiler().policies_of(slot, direction);
    message.set_isolated(std::ranges::find(policies, Kind::kNetworkPolicy, &ObjectKey::kind) !=
                         policies.end());
    message.set_table(WEIR_RULES_TABLE(word));
    message.set_generation(WEIR_RULES_GENERATION(word));
}

Refusal::Code code_of(const Error& error) {
    switch (error.code) {
        case ENOENT:
        case ENODEV:
        case ENXIO:
            return Refusal::Code::kNotFound;
        case ENOSPC:
            return Refusal::Code::kResourceExhausted;
        case EAGAIN:
            return Refusal::Code::kUnavailable;
        case EINVAL:
            return Refusal::Code::kInvalidArgument;
        default:
            return Refusal::Code::kFailedPrecondition;
    }
}

} // namespace

v1::Endpoint endpoint_message(const ControlContext& context, const Endpoint& endpoint) {
    v1::Endpoint message;
    message.set_namespace_(endpoint.ns);
    message.set_pod(endpoint.name);
    message.set_slot(endpoint.slot);
    message.set_ifindex(endpoint.link.host_ifindex);
    message.set_host_interface(endpoint.link.host_name);
    message.set_netns(endpoint.netns);
    message.set_interface(endpoint.interface);
    message.set_mac(mac_text(endpoint.link.mac));
    for (const auto& address : endpoint.link.addresses)
        message.add_addresses(address.to_string());
    const ObjectName name{Symbol(endpoint.ns), Symbol(endpoint.name)};
    message.set_pod_known(context.inventory.pod(name) != nullptr);
    fill_side(*message.mutable_egress(), context, endpoint.slot, WEIR_EGRESS);
    fill_side(*message.mutable_ingress(), context, endpoint.slot, WEIR_INGRESS);
    return message;
}

v1::ListEndpointsResponse list_endpoints(const ControlContext& context) {
    v1::ListEndpointsResponse response;
    for (const auto& [slot, endpoint] : context.enforcer.endpoints().all()) {
        *response.add_endpoints() = endpoint_message(context, endpoint);
    }
    return response;
}

Reply<v1::Endpoint> add_endpoint(const ControlContext& context,
                                 const v1::AddEndpointRequest& request) {
    if (request.namespace_().empty() || request.pod().empty() || request.netns().empty()) {
        return std::unexpected(
            Refusal{Refusal::Code::kInvalidArgument, "namespace, pod and netns must be given"});
    }
    const std::string interface = request.interface().empty() ? "eth0" : request.interface();
    const auto change = context.enforcer.add_endpoint({.ns = request.namespace_(),
                                                       .name = request.pod(),
                                                       .netns = request.netns(),
                                                       .interface = interface});
    if (!change) return std::unexpected(Refusal{code_of(change.error()), change.error().what});
    return endpoint_message(context, change->endpoint);
}

Reply<v1::RemoveEndpointResponse> remove_endpoint(const ControlContext& context,
                                                  const v1::RemoveEndpointRequest& request) {
    const auto removed = context.enforcer.remove_endpoint(request.namespace_(), request.pod());
    if (!removed) return std::unexpected(Refusal{code_of(removed.error()), removed.error().what});
    if (*removed) return v1::RemoveEndpointResponse();
    return std::unexpected(
        Refusal{Refusal::Code::kNotFound,
                fmt::format("no endpoint {}/{}; `weir endpoint list` shows those there are",
                            request.namespace_(), request.pod())});
}

} // namespace weir
