// SPDX-License-Identifier: Apache-2.0
// An address block as the key of weir_prefixes, and back.
#pragma once

#include <algorithm>
#include <cstring>

#include "bpf/abi.h"
#include "policy/address.h"

namespace weir {

inline weir_prefix prefix_of(const Cidr& cidr) {
    weir_prefix prefix{};
    prefix.prefix_length = cidr.prefix_length;
    std::memcpy(prefix.address.bytes, cidr.network.bytes.data(), cidr.network.bytes.size());
    return prefix;
}

// A key read from the kernel may hold anything: bits beyond its length are cleared, and a length
// that no address has is the longest.
inline Cidr cidr_of(const weir_prefix& prefix) {
    Address address;
    std::memcpy(address.bytes.data(), prefix.address.bytes, address.bytes.size());
    return Cidr::around(address, static_cast<std::uint8_t>(std::min(prefix.prefix_length, 128U)));
}

} // namespace weir
