// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_endpoint_slice.h"

#include "agent/kube/decode_cluster.h"
#include "agent/kube/decode_metadata.h"
#include "agent/kube/decode_network.h"
#include "agent/kube/decode_service.h"
#include "agent/kube/syntax.h"

namespace weir {
namespace {

constexpr std::size_t kMostEndpoints = 1000; // "may have a maximum of 1000 endpoints"
constexpr std::size_t kMostPorts = 20'000;

void add_hints(const Field& list, bool is_node, std::vector<TopologyHint>& hints) {
    list.each_item([&](const Field& item) {
        const std::string_view name = item["name"].string().value_or("");
        if (name.empty()) return item["name"].error("is required");
        hints.push_back({Symbol(std::string(name)), is_node});
    });
}

void decode_conditions(const Field& conditions, ServiceEndpoint& endpoint) {
    if (!conditions.is_missing() && !conditions.is_mapping()) return;
    // "A nil value should be interpreted as "true"" (ready); "consumers should defer to the ready
    // condition" (serving); "should be interpreted as "false"" (terminating).
    endpoint.is_ready = conditions["ready"].boolean().value_or(true);
    endpoint.is_serving = conditions["serving"].boolean().value_or(endpoint.is_ready);
    endpoint.is_terminating = conditions["terminating"].boolean().value_or(false);
}

std::optional<ServiceEndpoint> decode_endpoint(const Field& field, bool is_v4) {
    ServiceEndpoint endpoint;
    if (!field.is_mapping()) return std::nullopt;
    field.allow_only({"addresses", "conditions", "hostname", "targetRef", "deprecatedTopology",
                      "nodeName", "zone", "hints"});
    const Field addresses = field["addresses"];
    if (addresses.size() == 0) {
        addresses.error("is required", "give the endpoint's address");
        return std::nullopt;
    }
    bool has_address = false;
    addresses.each_item([&](const Field& item) {
        const auto address = decode_address(item);
        if (address && address->is_v4() != is_v4) {
            item.error(address->to_string() + " is of another family than addressType",
                       "make a second EndpointSlice for the other family");
        }
        if (!address || has_address) return;
        endpoint.address = *address;
        has_address = true;
    });
    endpoint.node = Symbol(std::string(field["nodeName"].string().value_or("")));
    const Field conditions = field["conditions"];
    decode_conditions(conditions, endpoint);
    const Field hints = field["hints"];
    add_hints(hints["forZones"], false, endpoint.hints);
    add_hints(hints["forNodes"], true, endpoint.hints);
    return endpoint;
}

// A port without a number is "all ports", which no proxy can use.
std::optional<EndpointPort> decode_endpoint_port(const Field& field) {
    if (!field.is_mapping()) return std::nullopt;
    field.allow_only({"name", "protocol", "port", "appProtocol"});
    EndpointPort port;
    port.name = Symbol(std::string(field["name"].string().value_or("")));
    port.protocol = decode_protocol(field["protocol"]);
    const auto number = decode_port_number(field["port"]);
    if (!number) return std::nullopt;
    port.port = *number;
    return port;
}

Symbol service_of(const Field& metadata) {
    const Field labels = metadata["labels"];
    const Field label = labels["kubernetes.io/service-name"];
    return Symbol(std::string(label.is_string() ? label.string().value_or("") : ""));
}

} // namespace

std::optional<EndpointSlice> decode_endpoint_slice(const Field& root, const ObjectName& name) {
    EndpointSlice slice;
    slice.name = name;
    const Field metadata = root["metadata"];
    static_cast<void>(decode_metadata(metadata));
    slice.service = service_of(metadata);
    if (is_for_another_proxy(metadata)) {
        slice.service = Symbol();
    } else if (slice.service.get().empty()) {
        metadata.warning("no label kubernetes.io/service-name: the slice belongs to no Service",
                         "label it with the Service's name");
    }
    const Field type = root["addressType"];
    if (type.is_missing()) type.error("is required", "use IPv4 or IPv6");
    const std::string_view family = decode_word(type, {"IPv4", "IPv6", "FQDN"});
    if (family == "FQDN") {
        type.warning("Weir does not use slices of names", "use IPv4 or IPv6");
        return std::nullopt;
    }
    slice.is_v4 = family == "IPv4";
    const Field endpoints = root["endpoints"];
    if (endpoints.size() != 0) check_optional_size(endpoints, kMostEndpoints);
    endpoints.each_item([&](const Field& item) {
        if (auto endpoint = decode_endpoint(item, slice.is_v4)) {
            slice.endpoints.push_back(std::move(*endpoint));
        }
    });
    const Field ports = root["ports"];
    if (ports.size() != 0) check_optional_size(ports, kMostPorts);
    ports.each_item([&](const Field& item) {
        if (auto port = decode_endpoint_port(item)) slice.ports.push_back(*port);
    });
    slice.endpoints.shrink_to_fit();
    slice.ports.shrink_to_fit();
    return slice;
}

} // namespace weir
