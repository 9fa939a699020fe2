// SPDX-License-Identifier: Apache-2.0
#include "tests/support/cluster.h"

#include <algorithm>

namespace weir::test {

Address address(std::string_view text) {
    return Address::parse(text).value();
}
Cidr cidr(std::string_view text) {
    return Cidr::parse(text).value();
}

ObjectName name(std::string_view text) {
    const auto slash = text.find('/');
    return ObjectName{Symbol(std::string(text.substr(0, slash))),
                      Symbol(std::string(text.substr(slash + 1)))};
}

Labels labels(std::vector<LabelText> texts) {
    std::sort(texts.begin(), texts.end());
    Labels result;
    for (const auto& [key, value] : texts) {
        result.push_back(Label{Symbol(key), Symbol(value)});
    }
    return result;
}

Selector everything() {
    return Selector{};
}

Selector labelled(LabelTexts texts) {
    Selector selector;
    for (const auto& [key, value] : texts) {
        selector.requirements.push_back(requirement(key, LabelRequirement::Operator::kIn, {value}));
    }
    return selector;
}

Selector where(std::vector<LabelRequirement> requirements) {
    return Selector{std::move(requirements)};
}

LabelRequirement requirement(std::string_view key, LabelRequirement::Operator op,
                             std::initializer_list<std::string> values) {
    LabelRequirement result{Symbol(std::string(key)), op, {}};
    for (const auto& value : values) {
        result.values.emplace_back(value);
    }
    return result;
}

Namespace ns(std::string_view name, LabelTexts texts) {
    std::vector<LabelText> all(texts);
    all.emplace_back("kubernetes.io/metadata.name", std::string(name));
    return Namespace{Symbol(std::string(name)), labels(std::move(all)), false, Origin{}};
}

Pod pod(std::string_view pod_name, LabelTexts texts, std::initializer_list<std::string> addresses,
        std::vector<ContainerPort> ports) {
    Pod result;
    result.name = name(pod_name);
    result.labels = labels(texts);
    for (const auto& text : addresses) {
        result.addresses.push_back(address(text));
    }
    result.ports = std::move(ports);
    return result;
}

ContainerPort container_port(std::string_view name, std::uint16_t port, std::uint8_t protocol) {
    return ContainerPort{Symbol(std::string(name)), port, protocol};
}

Peer pods(Selector selector) {
    return Peer{std::move(selector), std::nullopt, std::nullopt};
}
Peer namespaces(Selector selector) {
    return Peer{std::nullopt, std::move(selector), std::nullopt};
}
Peer pods_in(Selector namespaces, Selector pods) {
    return Peer{std::move(pods), std::move(namespaces), std::nullopt};
}

Peer block(std::string_view text, std::initializer_list<std::string> except) {
    IpBlock result{cidr(text), {}};
    for (const auto& inner : except) {
        result.except.push_back(cidr(inner));
    }
    return Peer{std::nullopt, std::nullopt, std::move(result)};
}

Port tcp(std::uint16_t first, std::uint16_t last) {
    return Port{IPPROTO_TCP, PortRange{first, last == 0 ? first : last}};
}
Port udp(std::uint16_t port) {
    return Port{IPPROTO_UDP, PortRange{port, port}};
}
Port all_of(std::uint8_t protocol) {
    return Port{protocol, PortRange{}};
}
Port named(std::string_view name, std::uint8_t protocol) {
    return Port{protocol, Symbol(std::string(name))};
}

NetworkPolicy policy(std::string_view policy_name, Selector subjects) {
    NetworkPolicy result;
    result.name = name(policy_name);
    result.subjects = std::move(subjects);
    return result;
}

NetworkPolicy with_ingress(NetworkPolicy policy, std::vector<Rule> rules) {
    policy.isolates_ingress = true;
    policy.ingress = std::move(rules);
    return policy;
}

NetworkPolicy with_egress(NetworkPolicy policy, std::vector<Rule> rules) {
    policy.isolates_egress = true;
    policy.egress = std::move(rules);
    return policy;
}

LocalPod local(std::uint32_t slot, std::string_view pod,
               std::initializer_list<std::string> addresses) {
    LocalPod result{slot, name(pod), {}};
    for (const auto& text : addresses) {
        result.addresses.push_back(address(text));
    }
    return result;
}

} // namespace weir::test
