// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_pod.h"

#include <algorithm>

#include "agent/kube/decode_cluster.h"
#include "agent/kube/decode_metadata.h"
#include "agent/kube/decode_network.h"
#include "agent/kube/syntax.h"
#include "agent/kube/uid.h"

namespace weir {
namespace {

ContainerPort decode_container_port(const Field& field) {
    ContainerPort port;
    const std::string_view name = field["name"].string().value_or("");
    if (const Complaint complaint = check_port_name(name); complaint && !name.empty()) {
        field["name"].error("port name " + quote(name) + " " + *complaint);
    }
    port.name = Symbol(std::string(name));
    const Field number = field["containerPort"];
    const std::int64_t value = number.integer().value_or(0);
    if (number.is_missing()) {
        number.error("is required");
    } else if (number.is_number() && (value < 1 || value > 65535)) {
        number.error("must be between 1 and 65535");
    }
    port.port = static_cast<std::uint16_t>(value);
    port.protocol = decode_protocol(field["protocol"]);
    return port;
}

// "0.0.0.0" and "::" stand for every address.
bool is_any(const Address& address) {
    const Address zero_v4 = *Address::parse("0.0.0.0");
    return address == zero_v4 || address == Address{};
}

void decode_host_port(const Field& field, const ContainerPort& container, Pod& pod) {
    const Field number = field["hostPort"];
    const std::int64_t value = number.integer().value_or(0);
    if (value == 0) return; // none
    if (value < 1 || value > 65535) return number.error("must be between 1 and 65535");
    HostPort port{.address = {},
                  .host_port = static_cast<std::uint16_t>(value),
                  .port = container.port,
                  .protocol = container.protocol};
    const Field at = field["hostIP"];
    if (!at.string().value_or("").empty()) port.address = decode_address(at);
    if (port.address && is_any(*port.address)) port.address.reset();
    pod.host_ports.push_back(port);
}

void decode_ports(const Field& container, Pod& pod) {
    auto& ports = pod.ports;
    const std::size_t first = ports.size();
    container["ports"].each_item([&](const Field& item) {
        if (!item.is_mapping()) return;
        ContainerPort port = decode_container_port(item);
        const auto is_same = [&](const ContainerPort& other) {
            return !port.name.get().empty() && other.name == port.name;
        };
        // "Each named port in a pod must have a unique name": checked per container.
        if (std::any_of(ports.begin() + static_cast<std::ptrdiff_t>(first), ports.end(), is_same)) {
            item["name"].error("two ports of the container are called " + quote(port.name.get()));
        }
        decode_host_port(item, port, pod);
        ports.push_back(std::move(port));
    });
}

// A sidecar, an init container that restarts always, runs beside the others and serves its ports.
void decode_containers(const Field& spec, Pod& pod) {
    spec["containers"].each_item([&](const Field& container) { decode_ports(container, pod); });
    spec["initContainers"].each_item([&](const Field& container) {
        if (container["restartPolicy"].string().value_or("") == "Always") {
            decode_ports(container, pod);
        }
    });
}

void decode_addresses(const Field& status, std::vector<Address>& addresses) {
    const auto add = [&](const Field& field) {
        if (field.string().value_or("").empty()) return;
        const auto address = decode_address(field);
        if (address && std::ranges::find(addresses, *address) == addresses.end()) {
            addresses.push_back(*address);
        }
    };
    add(status["podIP"]);
    status["podIPs"].each_item([&](const Field& item) { add(item["ip"]); });
}

Symbol decode_name(const Field& field, std::string_view fallback) {
    const std::string_view text = field.string().value_or("");
    if (text.empty()) return Symbol(std::string(fallback));
    if (const Complaint complaint = check_dns_subdomain(text)) {
        field.error(quote(text) + " " + *complaint);
    }
    return Symbol(std::string(text));
}

std::array<std::uint8_t, 16> decode_uid(const Field& metadata) {
    // The kubelet marks the mirror object of a static pod by that pod's uid.
    const Field annotations = metadata["annotations"]; // a field refers to its parent
    const Field mirrored = annotations["kubernetes.io/config.mirror"];
    if (mirrored.is_string()) return parse_uid(mirrored.string().value_or(""));
    const Field uid = metadata["uid"];
    return uid.is_string() ? parse_uid(uid.string().value_or("")) : std::array<std::uint8_t, 16>{};
}

} // namespace

Pod decode_pod(const Field& root, const ObjectName& name) {
    Pod pod;
    pod.name = name;
    const Field metadata = root["metadata"];
    pod.labels = decode_metadata(metadata);
    pod.uid = decode_uid(metadata);
    const Field spec = root["spec"];
    if (!spec.is_missing() && spec.is_mapping()) {
        pod.node = decode_name(spec["nodeName"], "");
        pod.service_account = decode_name(spec["serviceAccountName"], "default");
        pod.is_host_network = spec["hostNetwork"].boolean().value_or(false);
        decode_containers(spec, pod);
    }
    const Field status = root["status"];
    if (!status.is_missing() && status.is_mapping()) {
        const std::string_view phase = status["phase"].string().value_or("");
        pod.is_terminated = phase == "Succeeded" || phase == "Failed";
        decode_addresses(status, pod.addresses);
    }
    return pod;
}

} // namespace weir
