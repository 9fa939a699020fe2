// SPDX-License-Identifier: Apache-2.0
// Few blocks instead of many addresses.
#pragma once

#include <set>
#include <vector>

#include "policy/address.h"

namespace weir {

// Blocks that hold all of the addresses, one each while there are at most `most` of a family; else
// addresses that lie close together share wider and wider blocks until there are no more than that.
// Sorted; no block holds another.
std::vector<Cidr> covering_blocks(const std::set<Address>& addresses, std::size_t most);

} // namespace weir
