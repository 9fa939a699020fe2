// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_tier_port.h"

#include <netinet/in.h>

#include "agent/kube/decode_network.h"
#include "agent/kube/syntax.h"

namespace weir {
namespace {

std::uint16_t decode_required_number(const Field& field) {
    if (field.is_missing()) field.error("is required", "use a number from 1 to 65535");
    return decode_port_number(field).value_or(0);
}

PortRange decode_range(const Field& field, const TierDialect& dialect) {
    PortRange range;
    range.first = decode_required_number(field["start"]);
    range.last = decode_required_number(field["end"]);
    // "Start port must be less than End port": v1alpha1 says so too, but its definition lets equal
    // ones pass.
    const bool is_equal_allowed = dialect.is_v1alpha1();
    if (range.first == 0 || range.last == 0 || range.first < range.last) return range;
    if (range.first == range.last && is_equal_allowed) return range;
    field["end"].error(
        std::to_string(range.last) + " is not greater than start " + std::to_string(range.first),
        range.first == range.last ? "a single port has a field of its own" : "exchange the two");
    return range;
}

std::uint8_t decode_named_protocol(const Field& field) {
    const auto text = field.string();
    if (!text) return IPPROTO_TCP; // "If not specified, this field defaults to TCP."
    const auto protocol = parse_protocol(*text);
    if (!protocol) field.error("unknown protocol " + quote(*text), "use TCP, UDP or SCTP");
    return protocol.value_or(IPPROTO_TCP);
}

// A name says nothing of the protocol: it is that of the container port.
void decode_name(const Field& field, bool has_address_peer, std::vector<Port>& ports) {
    const std::string_view name = field.string().value_or("");
    if (field.is_string() && name.empty()) field.error("is empty", "name a container port");
    if (has_address_peer) {
        field.error("nodes, networks and domainNames have no named ports",
                    "use a number, or make two rules of it");
    }
    if (const Complaint complaint = check_port_name(name); complaint && !name.empty()) {
        field.warning("port name " + quote(name) + " " + *complaint + ": no port is called so");
    }
    for (const int protocol : {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP}) {
        ports.push_back({static_cast<std::uint8_t>(protocol), Symbol(std::string(name))});
    }
}

// {destinationPort: {number}} or {destinationPort: {range: {start, end}}}.
Port decode_v1alpha2_port(const Field& field, std::uint8_t protocol, const TierDialect& dialect) {
    Port port{protocol, PortRange{}};
    if (!field.is_mapping()) return port;
    field.allow_only({"destinationPort"});
    const Field destination = field["destinationPort"];
    if (destination.is_missing()) {
        destination.error("is required", "for every port write range {start: 1, end: 65535}");
    }
    if (!destination.is_mapping()) return port;
    destination.allow_only({"number", "range"});
    const auto chosen = destination.only_one_of({"number", "range"});
    if (!chosen) destination.error("names no port", "give number or range");
    if (chosen == "number") {
        const std::uint16_t number = decode_required_number(destination["number"]);
        port.number = PortRange{number, number};
    } else if (chosen && destination["range"].is_mapping()) {
        destination["range"].allow_only({"start", "end"});
        port.number = decode_range(destination["range"], dialect);
    }
    return port;
}

void decode_v1alpha2(const Field& item, bool has_address_peer, const TierDialect& dialect,
                     std::vector<Port>& ports) {
    item.allow_only({"tcp", "udp", "sctp", "destinationNamedPort"});
    const auto chosen = item.only_one_of({"tcp", "udp", "sctp", "destinationNamedPort"});
    if (!chosen) item.error("names no protocol", "give tcp, udp, sctp or destinationNamedPort");
    if (!chosen) return;
    if (chosen == "destinationNamedPort")
        return decode_name(item[*chosen], has_address_peer, ports);
    const int protocol = chosen == "tcp"   ? IPPROTO_TCP
                         : chosen == "udp" ? IPPROTO_UDP
                                           : IPPROTO_SCTP;
    ports.push_back(
        decode_v1alpha2_port(item[*chosen], static_cast<std::uint8_t>(protocol), dialect));
}

void decode_v1alpha1(const Field& item, bool has_address_peer, const TierDialect& dialect,
                     std::vector<Port>& ports) {
    item.allow_only({"portNumber", "portRange", "namedPort"});
    const auto chosen = item.only_one_of({"portNumber", "portRange", "namedPort"});
    if (!chosen) item.error("names no port", "give portNumber, portRange or namedPort");
    if (!chosen) return;
    const Field port = item[*chosen];
    if (chosen == "namedPort") return decode_name(port, has_address_peer, ports);
    if (!port.is_mapping()) return;
    const std::uint8_t protocol = decode_named_protocol(port["protocol"]);
    if (chosen == "portRange") {
        port.allow_only({"protocol", "start", "end"});
        ports.push_back({protocol, decode_range(port, dialect)});
        return;
    }
    port.allow_only({"protocol", "port"});
    const std::uint16_t number = decode_required_number(port["port"]);
    ports.push_back({protocol, PortRange{number, number}});
}

} // namespace

std::vector<Port> decode_tier_ports(const Field& list, bool has_address_peer,
                                    const TierDialect& dialect) {
    std::vector<Port> ports;
    check_optional_size(list, dialect.most_items);
    list.each_item([&](const Field& item) {
        if (item.is_missing()) item.error("is empty", "remove it");
        if (!item.is_mapping()) return;
        if (dialect.is_v1alpha1()) {
            decode_v1alpha1(item, has_address_peer, dialect, ports);
        } else {
            decode_v1alpha2(item, has_address_peer, dialect, ports);
        }
    });
    return ports;
}

} // namespace weir
