// SPDX-License-Identifier: Apache-2.0
// What a policy's outcome can depend on: where its rules cut the ports, the labels and the address
// blocks that it asks for. For previews, which look at both sides of every cut.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "policy/model.h"

namespace weir {

// The ports that containers call by a name, as WEIR_PORT_KEYs.
using NamedPorts = std::map<std::string, std::set<std::uint32_t>>;

// Adds the WEIR_PORT_KEYs at which a verdict may change: firsts, and those after lasts.
void add_port_cuts(const Object& policy, const NamedPorts& names, std::set<std::uint32_t>& cuts);
void add_label_keys(const Object& policy, std::set<std::string>& keys);
void add_blocks(const Object& policy, std::set<Cidr>& blocks);

} // namespace weir
