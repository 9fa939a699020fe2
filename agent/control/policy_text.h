// SPDX-License-Identifier: Apache-2.0
// Policies in the words that people use for them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/model.h"

namespace weir {

// As kubectl writes selectors: "app=web,tier in (a,b),!legacy"; "<all>" for the empty one.
std::string selector_text(const Selector& selector);
// "pods app=web in namespaces team=a".
std::string selection_text(const PodSelection& selection);
// "pods app=web in namespaces team=a", "10.0.0.0/8 except 10.1.0.0/16".
std::string peer_text(const Peer& peer);
std::string peer_text(const TierRule::Peer& peer);
// "principal cluster.local/ns/a/sa/b and not namespace c": one source, all of which has to hold.
std::string source_text(const std::vector<SourceMatch>& source);
std::string source_text(const SourceMatch& match);
// "port 80 or 443 and not port 81": one operation, all of which has to hold.
std::string destination_text(const std::vector<DestinationMatch>& operation);
// "TCP 8080", "UDP 1000-2000", "TCP http", "TCP any port".
std::string port_text(const Port& port);
std::string port_range_text(std::uint8_t protocol, std::uint16_t first, std::uint16_t last);

// "enforced", "audit", "dry-run".
const char* enforcement_word(Enforcement enforcement);
// "Accept", "Deny", "Pass".
const char* action_word(TierAction action);

} // namespace weir
