// SPDX-License-Identifier: Apache-2.0
// The address space as the blocks in force cut it up: every cidr and every except is a region, and
// a longest-prefix match finds the region that says which blocks hold for an address.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "policy/address.h"
#include "policy/kernel_entry.h"
#include "policy/predicate.h"

namespace weir {

struct Region : ClassifiedEntry {
    std::vector<Predicate*> blocks;  // whose cidr it is
    std::vector<Predicate*> excepts; // that except it
    std::uint32_t boundaries = 0;    // IPv6 blocks around ::ffff:0:0/96, which must end here
    bool is_in_use() const { return boundaries != 0 || !blocks.empty() || !excepts.empty(); }
};
using RegionMap = std::map<Cidr, Region>;
using RegionNode = RegionMap::value_type;

class RegionIndex {
public:
    // Adds or removes a predicate in force, an IpBlock.
    void add(Predicate& predicate);
    void remove(Predicate& predicate);
    // Regions that the block, which is or was in force, holds for, and those where it ends.
    std::vector<RegionNode*> inside(const IpBlock& block);

    // The node, made if it is missing.
    RegionNode& node(const Cidr& cidr);
    // Forgets a region that is neither in use nor in the kernel nor dirty.
    void drop_if_idle(RegionNode& node);

    // Predicates that hold throughout the region, the regions inside it aside; sorted by id.
    Holders holding(const RegionNode& node) const;
    // The innermost region around an address or (strictly) around another region; null if none.
    const RegionNode* around(const Address& address) const;
    const RegionNode* parent(const Cidr& cidr) const;
    // The class that the committed trie gives to an address, or gives the region's addresses.
    std::uint32_t kernel_class(const Address& address) const;
    std::uint32_t kernel_class(const RegionNode& node) const;

    const RegionMap& all() const { return regions_; }

private:
    template <typename Accept>
    const RegionNode* innermost(const Address& address, int longest, Accept accept) const;

    RegionMap regions_;
    std::array<std::uint32_t, 129> lengths_{}; // how many regions have each prefix length
};

// The runs of addresses of the block between its excepts, in order.
struct AddressRun {
    Address first;
    Address last;
};
std::vector<AddressRun> runs_of(const IpBlock& block);

} // namespace weir
