// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_network_policy.h"

#include <netinet/in.h>

#include "agent/kube/decode_metadata.h"
#include "agent/kube/decode_network.h"
#include "agent/kube/decode_selector.h"
#include "agent/kube/syntax.h"

namespace weir {
namespace {

// "Except values will be rejected if they are outside the cidr range": a strict subset.
void check_except(const Field& field, const Cidr& cidr, const Cidr& except) {
    if (cidr.is_v4() != except.is_v4()) {
        field.error(
            except.to_string() + " is of another address family than cidr " + cidr.to_string(),
            "remove it: the block holds no such address");
    } else if (!cidr.contains(except) || cidr == except) {
        field.error(except.to_string() + " is not a part of cidr " + cidr.to_string(),
                    "an exception must lie inside cidr and be smaller than it");
    }
}

std::optional<IpBlock> decode_ip_block(const Field& field) {
    if (!field.is_mapping()) return std::nullopt;
    field.allow_only({"cidr", "except"});
    IpBlock block;
    const auto cidr = decode_cidr(field["cidr"]);
    if (cidr) block.cidr = *cidr;
    field["except"].each_item([&](const Field& item) {
        const auto except = decode_cidr(item);
        if (!cidr || !except) return;
        check_except(item, *cidr, *except);
        block.except.push_back(*except);
    });
    return block;
}

Peer decode_peer(const Field& field) {
    Peer peer;
    if (!field.is_missing() && !field.is_mapping()) return peer;
    field.allow_only({"podSelector", "namespaceSelector", "ipBlock"});
    const Field pods = field["podSelector"];
    const Field namespaces = field["namespaceSelector"];
    const Field block = field["ipBlock"];
    if (!pods.is_missing()) peer.pods = decode_selector(pods);
    if (!namespaces.is_missing()) peer.namespaces = decode_selector(namespaces);
    if (!block.is_missing()) peer.block = decode_ip_block(block);
    const bool has_selector = !pods.is_missing() || !namespaces.is_missing();
    if (!has_selector && block.is_missing()) {
        field.error(
            "selects nothing",
            "give podSelector, namespaceSelector or ipBlock; {} as a selector is everything");
    }
    // "If this field is set then neither of the other fields can be."
    if (has_selector && !block.is_missing()) {
        field.error("ipBlock and a selector in one peer",
                    "make them two entries of the list, each with a '-' of its own");
    }
    return peer;
}

PortRange decode_range(const Field& port, const Field& end) {
    PortRange range;
    const auto first = decode_port_number(port);
    if (!first) return range;
    range.first = range.last = *first;
    const auto last = decode_port_number(end);
    if (!last) return range;
    // "must be equal or greater than port."
    if (*last < *first) {
        end.error(std::to_string(*last) + " is less than port " + std::to_string(*first),
                  "endPort is the last port of the range");
    }
    range.last = *last;
    return range;
}

Symbol decode_port_name(const Field& field) {
    const std::string_view name = field.string().value_or("");
    if (const Complaint complaint = check_port_name(name)) {
        const bool is_quoted_number =
            !name.empty() && name.find_first_not_of("0123456789") == name.npos;
        field.error("port name " + quote(name) + " " + *complaint,
                    is_quoted_number ? "write a number without quotes" : "");
    }
    return Symbol(std::string(name));
}

Port decode_policy_port(const Field& field) {
    Port port;
    port.protocol = IPPROTO_TCP; // "If not specified, this field defaults to TCP."
    if (!field.is_missing() && !field.is_mapping()) return port;
    field.allow_only({"protocol", "port", "endPort"});
    if (const auto text = field["protocol"].string()) {
        const auto protocol = parse_protocol(*text);
        if (!protocol) {
            field["protocol"].error("unknown protocol " + quote(*text), "use TCP, UDP or SCTP");
        }
        port.protocol = protocol.value_or(0);
    }
    const Field number = field["port"];
    const Field end = field["endPort"];
    if (number.is_number()) {
        port.number = decode_range(number, end);
        return port;
    }
    if (!number.is_missing()) port.number = decode_port_name(number);
    // "This field cannot be defined if the port field is not defined or if the port field is
    // defined as a named (string) port."
    if (!end.is_missing()) {
        end.error("endPort without a numeric port", "give the first port of the range as port");
    }
    return port;
}

Rule decode_rule(const Field& field, std::string_view peers) {
    Rule rule;
    rule.line = field.line();
    if (!field.is_missing() && !field.is_mapping()) return rule;
    field.allow_only({"ports", peers});
    field[peers].each_item([&](const Field& item) { rule.peers.push_back(decode_peer(item)); });
    field["ports"].each_item(
        [&](const Field& item) { rule.ports.push_back(decode_policy_port(item)); });
    return rule;
}

std::vector<Rule> decode_rules(const Field& field, std::string_view peers) {
    std::vector<Rule> rules;
    field.each_item([&](const Field& item) { rules.push_back(decode_rule(item, peers)); });
    return rules;
}

void decode_types(const Field& field, NetworkPolicy& policy) {
    std::size_t count = 0;
    field.each_item([&](const Field& item) {
        ++count;
        const std::string_view type = item.string().value_or("");
        policy.isolates_ingress |= type == "Ingress";
        policy.isolates_egress |= type == "Egress";
        if (type != "Ingress" && type != "Egress") {
            item.error("unknown policy type " + quote(type), "use Ingress or Egress");
        }
    });
    if (count > 2) field.error("more than two policy types", "use Ingress, Egress or both");
    if (count != 0) return;
    // "If this field is not specified, it will default based on the existence of ingress or egress
    // rules; policies that contain an egress section are assumed to affect egress, and all policies
    // (whether or not they contain an ingress section) are assumed to affect ingress." An empty or
    // null egress list is no section: the API server looks at its length.
    policy.isolates_ingress = true;
    policy.isolates_egress = !policy.egress.empty();
}

// Legal, but rarely meant: rules of a direction that the types leave out have no effect.
void warn_of_dead_rules(const Field& spec, const NetworkPolicy& policy) {
    if (!policy.isolates_ingress && !policy.isolates_egress) return; // no valid type at all
    if (!policy.isolates_egress && !policy.egress.empty()) {
        spec["egress"].warning("has no effect without Egress in policyTypes", "add Egress to it");
    }
    if (!policy.isolates_ingress && !policy.ingress.empty()) {
        spec["ingress"].warning("has no effect without Ingress in policyTypes",
                                "add Ingress to it");
    }
}

} // namespace

NetworkPolicy decode_network_policy(const Field& root, const ObjectName& name) {
    NetworkPolicy policy;
    policy.name = name;
    static_cast<void>(decode_metadata(root["metadata"]));
    policy.enforcement = decode_enforcement(root["metadata"]);
    const Field spec = root["spec"];
    spec.allow_only({"podSelector", "policyTypes", "ingress", "egress"});
    if (!spec.is_missing() && !spec.is_mapping()) return policy;
    const Field subjects = spec["podSelector"];
    if (subjects.is_missing()) {
        subjects.warning("is missing: the policy selects every pod of the namespace",
                         "write {} if that is meant");
    }
    policy.subjects = decode_selector(subjects);
    policy.ingress = decode_rules(spec["ingress"], "from");
    policy.egress = decode_rules(spec["egress"], "to");
    decode_types(spec["policyTypes"], policy);
    warn_of_dead_rules(spec, policy);
    return policy;
}

} // namespace weir
