// SPDX-License-Identifier: Apache-2.0
// Model objects in few words, for tests of policy.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/compiler.h"
#include "policy/model.h"

namespace weir::test {

using LabelText = std::pair<std::string, std::string>;
using LabelTexts = std::initializer_list<LabelText>;

Address address(std::string_view text);
Cidr cidr(std::string_view text);
ObjectName name(std::string_view text); // "namespace/name"
Labels labels(std::vector<LabelText> texts);

Selector everything();
Selector labelled(LabelTexts texts); // matchLabels
Selector where(std::vector<LabelRequirement> requirements);
LabelRequirement requirement(std::string_view key, LabelRequirement::Operator op,
                             std::initializer_list<std::string> values = {});

Namespace ns(std::string_view name, LabelTexts texts = {}); // with the name's label
Pod pod(std::string_view name, LabelTexts texts, std::initializer_list<std::string> addresses,
        std::vector<ContainerPort> ports = {});
ContainerPort container_port(std::string_view name, std::uint16_t port,
                             std::uint8_t protocol = IPPROTO_TCP);

Peer pods(Selector selector);
Peer namespaces(Selector selector);
Peer pods_in(Selector namespaces, Selector pods);
Peer block(std::string_view cidr, std::initializer_list<std::string> except = {});

Port tcp(std::uint16_t first, std::uint16_t last = 0); // last 0: first alone
Port udp(std::uint16_t port);
Port all_of(std::uint8_t protocol);
Port named(std::string_view name, std::uint8_t protocol = IPPROTO_TCP);

// A policy that isolates nothing yet.
NetworkPolicy policy(std::string_view name, Selector subjects = {});
NetworkPolicy with_ingress(NetworkPolicy policy, std::vector<Rule> rules);
NetworkPolicy with_egress(NetworkPolicy policy, std::vector<Rule> rules);

LocalPod local(std::uint32_t slot, std::string_view pod,
               std::initializer_list<std::string> addresses);

} // namespace weir::test
