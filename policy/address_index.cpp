// SPDX-License-Identifier: Apache-2.0
#include "policy/address_index.h"

#include <algorithm>

namespace weir {

PodRecord* AddressRecord::owner() const {
    PodRecord* owner = nullptr;
    bool is_local = false;
    for (const auto& claim : claims) {
        if (claim.slot != kStatus || !is_local) {
            owner = claim.pod;
            is_local = claim.slot != kStatus;
        }
    }
    return owner;
}

AddressNode* AddressIndex::claim(const Address& address, PodRecord* pod, std::uint32_t slot) {
    auto& claimed = node(address);
    claimed.second.claims.push_back(AddressRecord::Claim{pod, slot});
    return &claimed;
}

AddressNode* AddressIndex::disclaim(const Address& address, PodRecord* pod, std::uint32_t slot) {
    auto* claimed = find(address);
    if (claimed == nullptr) {
        return nullptr;
    }
    auto& claims = claimed->second.claims;
    const auto place = std::find_if(claims.begin(), claims.end(), [&](const auto& claim) {
        return claim.pod == pod && claim.slot == slot;
    });
    if (place != claims.end()) {
        claims.erase(place);
    }
    return claimed;
}

AddressNode* AddressIndex::find(const Address& address) {
    const auto found = addresses_.find(address);
    return found == addresses_.end() ? nullptr : &*found;
}

const AddressNode* AddressIndex::find(const Address& address) const {
    const auto found = addresses_.find(address);
    return found == addresses_.end() ? nullptr : &*found;
}

void AddressIndex::drop_if_idle(AddressNode& node) {
    const auto& record = node.second;
    if (record.claims.empty() && !record.in_kernel && !record.is_dirty) {
        addresses_.erase(addresses_.find(node.first));
    }
}

std::vector<AddressNode*> AddressIndex::within(const AddressRun& run) {
    std::vector<AddressNode*> nodes;
    for (auto place = addresses_.lower_bound(run.first);
         place != addresses_.end() && !(run.last < place->first); ++place) {
        nodes.push_back(&*place);
    }
    return nodes;
}

} // namespace weir
