// SPDX-License-Identifier: Apache-2.0
#include "agent/control/address_blocks.h"

#include <array>

namespace weir {
namespace {

// In the 128 bits of the mapped address, from one address to everything of the family.
constexpr std::array<std::uint8_t, 6> kWidths4{128, 120, 116, 112, 104, 96};
constexpr std::array<std::uint8_t, 6> kWidths6{128, 112, 64, 48, 32, 0};

void cover(const std::vector<Address>& addresses, const auto& widths, std::size_t most,
           std::vector<Cidr>& result) {
    for (const auto width : widths) {
        std::set<Cidr> blocks;
        for (const auto& address : addresses)
            blocks.insert(Cidr::around(address, width));
        const bool is_widest = width == widths.back();
        if (blocks.size() > most && !is_widest) continue;
        result.insert(result.end(), blocks.begin(), blocks.end());
        return;
    }
}

} // namespace

std::vector<Cidr> covering_blocks(const std::set<Address>& addresses, std::size_t most) {
    std::vector<Address> v4;
    std::vector<Address> v6;
    for (const auto& address : addresses)
        (address.is_v4() ? v4 : v6).push_back(address);
    std::vector<Cidr> blocks;
    cover(v4, kWidths4, most, blocks);
    cover(v6, kWidths6, most, blocks);
    return blocks;
}

} // namespace weir
