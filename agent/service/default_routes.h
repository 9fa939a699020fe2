// SPDX-License-Identifier: Apache-2.0
// The interfaces through which the node reaches the rest of the world.
#pragma once

#include <iosfwd>
#include <set>
#include <string>

namespace weir {

// Names of those in the node's default routes, of both families.
std::set<std::string> default_route_interfaces();

// From the content of /proc/net/route and /proc/net/ipv6_route.
std::set<std::string> default_route_interfaces(std::istream& v4, std::istream& v6);

} // namespace weir
