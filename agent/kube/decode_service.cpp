// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_service.h"

#include <algorithm>

#include "agent/kube/decode_cluster.h"
#include "agent/kube/decode_metadata.h"
#include "agent/kube/decode_network.h"
#include "agent/kube/syntax.h"

namespace weir {
namespace {

constexpr std::uint32_t kDefaultAffinity = 10'800; // "Default value is 10800(for 3 hours)."

struct Type {
    std::string_view name; // ClusterIP, NodePort, LoadBalancer, ExternalName
    bool is_headless = false;

    bool has_node_ports() const { return name == "NodePort" || name == "LoadBalancer"; }
    bool has_frontends() const { return name != "ExternalName" && !is_headless; }
};

ServicePort decode_service_port(const Field& field, const Type& type) {
    ServicePort port;
    if (!field.is_mapping()) return port;
    field.allow_only({"name", "protocol", "appProtocol", "port", "targetPort", "nodePort"});
    const std::string_view name = field["name"].string().value_or("");
    const Complaint complaint = check_dns_label(name);
    if (complaint && !name.empty())
        field["name"].error("port name " + quote(name) + " " + *complaint);
    port.name = Symbol(std::string(name));
    if (field["port"].is_missing()) field["port"].error("is required");
    port.port = decode_port_number(field["port"]).value_or(0);
    port.protocol = decode_protocol(field["protocol"]);
    const Field node_port = field["nodePort"];
    if (node_port.integer().value_or(0) == 0) return port;
    if (!type.has_node_ports()) {
        node_port.error("is only for the types NodePort and LoadBalancer", "remove it");
    }
    port.node_port = decode_port_number(node_port).value_or(0);
    return port;
}

void check_unique(const Field& field, const std::vector<ServicePort>& ports,
                  const ServicePort& port) {
    for (const auto& other : ports) {
        if (!port.name.get().empty() && other.name == port.name) {
            field["name"].error("two ports of the service are called " + quote(port.name.get()));
        }
        if (other.port == port.port && other.protocol == port.protocol) {
            field["port"].error("two ports of the service have this number and protocol");
        }
    }
}

std::vector<ServicePort> decode_ports(const Field& field, const Type& type) {
    std::vector<ServicePort> ports;
    const bool is_named = field.size() > 1;
    field.each_item([&](const Field& item) {
        const ServicePort port = decode_service_port(item, type);
        if (is_named && port.name.get().empty()) {
            item["name"].error("is required, because the service has several ports");
        }
        check_unique(item, ports, port);
        ports.push_back(port);
    });
    if (ports.empty() && type.has_frontends()) field.error("is required", "list at least one port");
    ports.shrink_to_fit();
    return ports;
}

void add_address(Service& service, const Field& field, ServiceAddress::Kind kind) {
    const auto address = decode_address(field);
    if (!address) return;
    const auto is_same = [&](const ServiceAddress& known) { return known.address == *address; };
    if (std::ranges::any_of(service.addresses, is_same)) return;
    service.addresses.push_back({*address, kind});
}

void decode_cluster_ips(const Field& spec, Service& service) {
    const auto add = [&](const Field& field) {
        const std::string_view text = field.string().value_or("");
        if (!text.empty() && text != "None") {
            add_address(service, field, ServiceAddress::Kind::kCluster);
        }
    };
    const Field list = spec["clusterIPs"];
    add(spec["clusterIP"]);
    list.each_item(add);
}

// "Setting this to "Proxy" indicates that traffic is delivered to the node or pod with the
// destination set to the node's IP": those are the balancer's own.
void decode_ingress(const Field& root, Service& service) {
    const Field status = root["status"];
    const Field balancer = status["loadBalancer"];
    const Field ingress = balancer["ingress"];
    ingress.each_item([&](const Field& item) {
        if (!item.is_mapping()) return;
        const std::string_view mode = decode_word(item["ipMode"], {"VIP", "Proxy"});
        if (mode == "Proxy" || item["ip"].string().value_or("").empty()) return;
        add_address(service, item["ip"], ServiceAddress::Kind::kLoadBalancer);
    });
}

std::uint32_t decode_affinity(const Field& spec) {
    if (decode_word(spec["sessionAffinity"], {"None", "ClientIP"}) == "None") return 0;
    const Field config = spec["sessionAffinityConfig"];
    const Field client = config["clientIP"];
    const Field timeout = client["timeoutSeconds"];
    const std::int64_t seconds = timeout.integer().value_or(kDefaultAffinity);
    if (seconds >= 1 && seconds <= 86'400) return static_cast<std::uint32_t>(seconds);
    timeout.error("must be between 1 and 86400");
    return kDefaultAffinity;
}

void decode_source_ranges(const Field& spec, const Type& type, Service& service) {
    const Field ranges = spec["loadBalancerSourceRanges"];
    if (ranges.size() != 0 && type.name != "LoadBalancer") {
        ranges.error("is only for the type LoadBalancer", "remove it");
    }
    ranges.each_item([&](const Field& item) {
        if (const auto cidr = decode_cidr(item)) service.source_ranges.push_back(*cidr);
    });
}

void decode_traffic_policies(const Field& spec, const Type& type, Service& service) {
    service.is_internal_local =
        decode_word(spec["internalTrafficPolicy"], {"Cluster", "Local"}) == "Local";
    const Field external = spec["externalTrafficPolicy"];
    service.is_external_local = decode_word(external, {"Cluster", "Local"}) == "Local";
    const bool is_external = type.has_node_ports() || spec["externalIPs"].size() != 0;
    if (!external.string().value_or("").empty() && !is_external) {
        external.error("is only for services that are reached from outside the cluster",
                       "remove it, or make the type NodePort or LoadBalancer");
    }
    const Field health = spec["healthCheckNodePort"];
    if (health.integer().value_or(0) == 0) return;
    if (type.name != "LoadBalancer" || !service.is_external_local) {
        health.error("is only for the type LoadBalancer with externalTrafficPolicy: Local",
                     "remove it");
    }
    service.health_check_node_port = decode_port_number(health).value_or(0);
}

void decode_annotations(const Field& metadata, Service& service) {
    const Field annotations = metadata["annotations"];
    const Field balance = annotations["weir.io/balance"];
    if (balance.is_string()) {
        const std::string_view word =
            decode_word(balance, {"random", "maglev", "least-connections"});
        service.is_choice_given = true;
        if (word == "maglev") service.choice = ServiceChoice::kMaglev;
        if (word == "least-connections") service.choice = ServiceChoice::kLeastLoaded;
    }
    const Field forward = annotations["weir.io/forward"];
    if (forward.is_string()) service.is_dsr = decode_word(forward, {"snat", "dsr"}) == "dsr";
    service.closes_tcp = decode_switch(annotations["weir.io/close-on-removal"]).value_or(false);
}

} // namespace

bool is_for_another_proxy(const Field& metadata) {
    const Field labels = metadata["labels"]; // a field refers to its parent
    return !labels["service.kubernetes.io/service-proxy-name"].is_missing() ||
           !labels["service.kubernetes.io/headless"].is_missing();
}

Service decode_service(const Field& root, const ObjectName& name) {
    Service service;
    service.name = name;
    const Field metadata = root["metadata"];
    static_cast<void>(decode_metadata(metadata));
    service.created = decode_creation(metadata);
    decode_annotations(metadata, service);
    const Field spec = root["spec"];
    if (spec.is_missing()) spec.error("is required", "give at least spec.ports");
    if (spec.is_missing() || !spec.is_mapping()) return service;
    spec.allow_only({"ports",
                     "selector",
                     "clusterIP",
                     "clusterIPs",
                     "type",
                     "externalIPs",
                     "sessionAffinity",
                     "sessionAffinityConfig",
                     "loadBalancerIP",
                     "loadBalancerSourceRanges",
                     "loadBalancerClass",
                     "externalName",
                     "externalTrafficPolicy",
                     "internalTrafficPolicy",
                     "healthCheckNodePort",
                     "publishNotReadyAddresses",
                     "ipFamilies",
                     "ipFamilyPolicy",
                     "allocateLoadBalancerNodePorts",
                     "trafficDistribution"});
    const Field cluster_ip = spec["clusterIP"];
    const Type type{
        decode_word(spec["type"], {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"}),
        cluster_ip.is_string() && cluster_ip.string() == "None"};
    service.ports = decode_ports(spec["ports"], type);
    decode_cluster_ips(spec, service);
    spec["externalIPs"].each_item(
        [&](const Field& item) { add_address(service, item, ServiceAddress::Kind::kExternal); });
    if (type.name == "LoadBalancer") decode_ingress(root, service);
    service.affinity = decode_affinity(spec);
    decode_source_ranges(spec, type, service);
    decode_traffic_policies(spec, type, service);
    // The hints of the EndpointSlices carry it out; here it is only checked.
    if (!spec["trafficDistribution"].is_missing()) {
        decode_word(spec["trafficDistribution"],
                    {"PreferClose", "PreferSameZone", "PreferSameNode"});
    }
    if (!type.has_frontends() || is_for_another_proxy(metadata)) {
        service.addresses.clear();
        for (auto& port : service.ports)
            port.node_port = 0;
    }
    service.addresses.shrink_to_fit();
    return service;
}

} // namespace weir
