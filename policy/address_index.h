// SPDX-License-Identifier: Apache-2.0
// Every address that a pod or an endpoint claims, in order, with who it belongs to and what is
// committed for it.
#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <map>
#include <vector>

#include "policy/address.h"
#include "policy/kernel_entry.h"
#include "policy/region_index.h"

namespace weir {

struct PodRecord;

struct AddressRecord : ClassifiedEntry {
    static constexpr std::uint32_t kStatus = 0xffffffff;
    struct Claim {
        PodRecord* pod = nullptr;
        // The endpoint of this node whose interface has the address, or kStatus for status.podIPs.
        std::uint32_t slot = kStatus;
    };
    boost::container::small_vector<Claim, 1> claims; // oldest first

    // A local endpoint before status.podIPs, then who claimed it last: an address that was given to
    // a new pod may still be in the status of the old one. Null if nobody claims it.
    PodRecord* owner() const;
};
using AddressMap = std::map<Address, AddressRecord>;
using AddressNode = AddressMap::value_type;

class AddressIndex {
public:
    // Both return the node if its owner may have changed, else null.
    AddressNode* claim(const Address& address, PodRecord* pod, std::uint32_t slot);
    AddressNode* disclaim(const Address& address, PodRecord* pod, std::uint32_t slot);

    AddressNode& node(const Address& address) { return *addresses_.try_emplace(address).first; }
    AddressNode* find(const Address& address);
    const AddressNode* find(const Address& address) const;
    // Forgets an address that is neither claimed nor in the kernel nor dirty.
    void drop_if_idle(AddressNode& node);
    std::vector<AddressNode*> within(const AddressRun& run);

private:
    AddressMap addresses_;
};

} // namespace weir
