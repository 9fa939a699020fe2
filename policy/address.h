// SPDX-License-Identifier: Apache-2.0
// IP addresses and CIDR blocks as the maps hold them: 16 bytes, IPv4 mapped to ::ffff:a.b.c.d.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bpf/abi.h"

namespace weir {

struct Address {
    std::array<std::uint8_t, 16> bytes{};

    // Parses dotted IPv4 or RFC 4291 IPv6 text, without a zone. IPv4-mapped IPv6 text is refused,
    // as the API server refuses it. Nothing on a syntax error.
    static std::optional<Address> parse(std::string_view text);
    static Address from_abi(const weir_address& address);

    weir_address to_abi() const;
    bool is_v4() const;
    // Dotted for IPv4, RFC 5952 for IPv6.
    std::string to_string() const;
    // "192.0.2.1:80", "[2001:db8::1]:80".
    std::string to_string(std::uint16_t port) const;

    auto operator<=>(const Address&) const = default;
};

struct Cidr {
    Address network;                // host bits are zero
    std::uint8_t prefix_length = 0; // in the 128 bits of the mapped address: IPv4 /8 is 104

    // Parses "a.b.c.d/n" or "x::y/n"; host bits are cleared, as the API server allows them.
    static std::optional<Cidr> parse(std::string_view text);
    static Cidr of(const Address& address); // the block of this address alone

    bool is_v4() const;
    // The block of prefix_length `length` (in 128 bits) around the address.
    static Cidr around(const Address& address, std::uint8_t length);

    // Whether the address is in the block. An IPv6 block, ::/0 included, holds no IPv4 address.
    bool contains(const Address& address) const;
    bool contains(const Cidr& other) const;
    std::string to_string() const; // prefix length as written for the family

    auto operator<=>(const Cidr&) const = default;
};

} // namespace weir

template <>
struct std::hash<weir::Address> {
    std::size_t operator()(const weir::Address& address) const noexcept;
};
template <>
struct std::hash<weir::Cidr> {
    std::size_t operator()(const weir::Cidr& cidr) const noexcept;
};
