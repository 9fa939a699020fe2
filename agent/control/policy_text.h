// SPDX-License-Identifier: Apache-2.0
// Policies in the words that people use for them.
#pragma once

#include <string>

#include "policy/model.h"

namespace weir {

// As kubectl writes selectors: "app=web,tier in (a,b),!legacy"; "<all>" for the empty one.
std::string selector_text(const Selector& selector);
// "pods app=web in namespaces team=a", "10.0.0.0/8 except 10.1.0.0/16".
std::string peer_text(const Peer& peer);
// "TCP 8080", "UDP 1000-2000", "TCP http", "TCP any port".
std::string port_text(const Port& port);

} // namespace weir
