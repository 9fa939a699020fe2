// SPDX-License-Identifier: Apache-2.0
#include "policy/region_index.h"

#include <algorithm>

namespace weir {
namespace {

constexpr int kLongest = 128;

// IPv4 in the one trie of mapped addresses. No IPv6 block holds any of it, so it must be a region
// of its own under every IPv6 block around it.
const Cidr& all_v4() {
    static const Cidr kAll = *Cidr::parse("0.0.0.0/0");
    return kAll;
}

bool spans_v4(const Cidr& cidr) {
    return !cidr.is_v4() && cidr.prefix_length < all_v4().prefix_length &&
           Cidr::around(all_v4().network, cidr.prefix_length) == cidr;
}

Address last_of(const Cidr& cidr) {
    Address last = cidr.network;
    for (unsigned bit = cidr.prefix_length; bit < kLongest; ++bit) {
        last.bytes[bit / 8] = static_cast<std::uint8_t>(last.bytes[bit / 8] | 0x80U >> (bit % 8));
    }
    return last;
}

Address before(Address address) {
    for (auto byte = address.bytes.rbegin(); byte != address.bytes.rend(); ++byte) {
        if ((*byte)-- != 0) {
            break;
        }
    }
    return address;
}

// False when there is none.
bool step(Address& address) {
    for (auto byte = address.bytes.rbegin(); byte != address.bytes.rend(); ++byte) {
        if (++*byte != 0) {
            return true;
        }
    }
    return false;
}

bool is_except(const IpBlock& block, const Cidr& cidr) {
    return std::find(block.except.begin(), block.except.end(), cidr) != block.except.end();
}

bool is_excepted(const IpBlock& block, const Cidr& inner) {
    return std::any_of(block.except.begin(), block.except.end(),
                       [&](const Cidr& except) { return except.contains(inner); });
}

// What ends a block: its excepts, and IPv4 inside IPv6.
std::vector<Cidr> holes_of(const IpBlock& block) {
    std::vector<Cidr> holes = block.except;
    if (spans_v4(block.cidr)) {
        holes.push_back(all_v4());
    }
    std::sort(holes.begin(), holes.end());
    return holes;
}

} // namespace

std::vector<AddressRun> runs_of(const IpBlock& block) {
    std::vector<AddressRun> runs;
    Address next = block.cidr.network;
    const Address last = last_of(block.cidr);
    for (const auto& hole : holes_of(block)) {
        const Address hole_last = last_of(hole);
        if (hole_last < next || last < hole.network) {
            continue;
        }
        if (next < hole.network) {
            runs.push_back(AddressRun{next, before(hole.network)});
        }
        next = hole_last;
        if (!(next < last) || !step(next)) {
            return runs;
        }
    }
    runs.push_back(AddressRun{next, last});
    return runs;
}

RegionNode& RegionIndex::node(const Cidr& cidr) {
    const auto [place, is_new] = regions_.try_emplace(cidr);
    if (is_new) {
        ++lengths_[cidr.prefix_length];
    }
    return *place;
}

void RegionIndex::drop_if_idle(RegionNode& node) {
    if (!node.second.is_in_use() && !node.second.in_kernel && !node.second.is_dirty) {
        --lengths_[node.first.prefix_length];
        regions_.erase(regions_.find(node.first));
    }
}

std::vector<RegionNode*> RegionIndex::inside(const IpBlock& block) {
    std::vector<RegionNode*> result;
    const Address last = last_of(block.cidr);
    for (auto place = regions_.lower_bound(Cidr{block.cidr.network, 0});
         place != regions_.end() && !(last < place->first.network); ++place) {
        // What an except holds does not change, but its own edge does.
        const auto& cidr = place->first;
        if (is_except(block, cidr) || (spans_v4(block.cidr) && cidr == all_v4()) ||
            (block.cidr.contains(cidr) && !is_excepted(block, cidr))) {
            result.push_back(&*place);
        }
    }
    return result;
}

void RegionIndex::add(Predicate& predicate) {
    const auto& block = std::get<IpBlock>(predicate.question);
    node(block.cidr).second.blocks.push_back(&predicate);
    for (const auto& except : block.except) {
        node(except).second.excepts.push_back(&predicate);
    }
    if (spans_v4(block.cidr)) {
        ++node(all_v4()).second.boundaries;
    }
}

void RegionIndex::remove(Predicate& predicate) {
    const auto& block = std::get<IpBlock>(predicate.question);
    std::erase(node(block.cidr).second.blocks, &predicate);
    for (const auto& except : block.except) {
        std::erase(node(except).second.excepts, &predicate);
    }
    if (spans_v4(block.cidr)) {
        --node(all_v4()).second.boundaries;
    }
}

template <typename Accept>
const RegionNode* RegionIndex::innermost(const Address& address, int longest, Accept accept) const {
    for (int length = longest; length >= 0; --length) {
        if (lengths_[static_cast<std::size_t>(length)] == 0) {
            continue;
        }
        const auto found = regions_.find(Cidr::around(address, static_cast<std::uint8_t>(length)));
        if (found != regions_.end() && accept(*found)) {
            return &*found;
        }
    }
    return nullptr;
}

Holders RegionIndex::holding(const RegionNode& node) const {
    Holders holders;
    std::vector<const Predicate*> excepted;
    // IPBlock.except: "except is a slice of CIDRs that should not be included within an IP Block".
    innermost(node.first.network, node.first.prefix_length, [&](const RegionNode& outer) {
        if (outer.first.is_v4() == node.first.is_v4()) {
            holders.insert(holders.end(), outer.second.blocks.begin(), outer.second.blocks.end());
            excepted.insert(excepted.end(), outer.second.excepts.begin(),
                            outer.second.excepts.end());
        }
        return false;
    });
    std::erase_if(holders, [&](const Predicate* predicate) {
        return std::find(excepted.begin(), excepted.end(), predicate) != excepted.end();
    });
    std::sort(holders.begin(), holders.end(),
              [](const Predicate* a, const Predicate* b) { return a->id < b->id; });
    return holders;
}

const RegionNode* RegionIndex::around(const Address& address) const {
    return innermost(address, kLongest, [](const RegionNode&) { return true; });
}

const RegionNode* RegionIndex::parent(const Cidr& cidr) const {
    return innermost(cidr.network, cidr.prefix_length - 1, [](const RegionNode&) { return true; });
}

std::uint32_t RegionIndex::kernel_class(const Address& address) const {
    const auto* found =
        innermost(address, kLongest, [](const RegionNode& node) { return node.second.in_kernel; });
    return found == nullptr ? 0 : found->second.kernel_class;
}

std::uint32_t RegionIndex::kernel_class(const RegionNode& node) const {
    const auto* found = innermost(node.first.network, node.first.prefix_length,
                                  [](const RegionNode& outer) { return outer.second.in_kernel; });
    return found == nullptr ? 0 : found->second.kernel_class;
}

} // namespace weir
