// SPDX-License-Identifier: Apache-2.0
#include "policy/host_ports.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

namespace weir {
namespace {

constexpr const char* kSuffix = ":hostPort"; // no object's name has a colon

ObjectName name_of(const Pod& pod, const std::optional<Address>& at) {
    const std::string suffix = at ? kSuffix + ("@" + at->to_string()) : kSuffix;
    return {pod.name.ns, Symbol(pod.name.name.get() + suffix)};
}

// Ports of a Service and of its slices belong together by name.
Symbol port_name(const HostPort& port) {
    return Symbol(std::to_string(port.host_port));
}

Service service_of(const ObjectName& name, const std::vector<HostPort>& ports) {
    Service service;
    service.name = name;
    service.host_address = ports.front().address;
    service.is_of_host_ports = true;
    for (const auto& port : ports) {
        service.ports.push_back({.name = port_name(port),
                                 .port = port.host_port,
                                 .node_port = port.host_port,
                                 .protocol = port.protocol});
    }
    return service;
}

EndpointSlice slice_of(const Service& service, const std::vector<HostPort>& ports, const Pod& pod,
                       const Address& address) {
    EndpointSlice slice;
    slice.name = {service.name.ns,
                  Symbol(service.name.name.get() + (address.is_v4() ? "/4" : "/6"))};
    slice.service = service.name.name;
    slice.is_v4 = address.is_v4();
    for (const auto& port : ports) {
        slice.ports.push_back({port_name(port), port.port, port.protocol});
    }
    ServiceEndpoint endpoint;
    endpoint.address = address;
    endpoint.node = pod.node;
    slice.endpoints.push_back(endpoint);
    return slice;
}

} // namespace

std::vector<SharedObject> host_port_objects(const Pod& pod) {
    std::vector<SharedObject> objects;
    if (pod.host_ports.empty() || pod.is_host_network || pod.is_terminated) {
        return objects;
    }
    std::map<std::optional<Address>, std::vector<HostPort>> by_address;
    for (const auto& port : pod.host_ports) {
        by_address[port.address].push_back(port);
    }
    for (const auto& [at, ports] : by_address) {
        const Service service = service_of(name_of(pod, at), ports);
        objects.emplace_back(service);
        for (const auto& address : pod.addresses) {
            objects.emplace_back(slice_of(service, ports, pod, address));
        }
    }
    return objects;
}

std::optional<ObjectName> host_port_pod(const ObjectName& service) {
    const std::string& name = service.name.get();
    const auto suffix = name.find(kSuffix);
    if (suffix == std::string::npos) return std::nullopt;
    return ObjectName{service.ns, Symbol(name.substr(0, suffix))};
}

} // namespace weir
