// SPDX-License-Identifier: Apache-2.0
#include "policy/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <functional>

namespace weir {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::uint8_t kMappedLength = 96;
constexpr std::uint8_t kAllBits = 128;

bool has_mapped_prefix(const std::array<std::uint8_t, 16>& bytes) {
    return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin());
}

// Clears the bits behind the first `length` ones.
Address masked(Address address, unsigned length) {
    for (unsigned bit = length; bit < kAllBits;) {
        auto& byte = address.bytes[bit / 8];
        if (bit % 8 == 0) {
            byte = 0;
        } else {
            byte = static_cast<std::uint8_t>(byte & (0xff00U >> (bit % 8)));
        }
        bit = (bit / 8 + 1) * 8;
    }
    return address;
}

} // namespace

std::optional<Address> Address::parse(std::string_view text) {
    // inet_pton wants a terminated string; the longest valid text has 45 characters.
    std::array<char, 48> buffer{};
    if (text.empty() || text.size() >= buffer.size() || text.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    std::copy(text.begin(), text.end(), buffer.begin());
    Address address;
    if (text.find(':') == std::string_view::npos) {
        // inet_pton refuses leading zeros, so that no text means two addresses.
        std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
        if (inet_pton(AF_INET, buffer.data(), address.bytes.data() + 12) != 1) {
            return std::nullopt;
        }
        return address;
    }
    if (inet_pton(AF_INET6, buffer.data(), address.bytes.data()) != 1 ||
        has_mapped_prefix(address.bytes)) {
        return std::nullopt;
    }
    return address;
}

Address Address::from_abi(const weir_address& address) {
    Address result;
    std::memcpy(result.bytes.data(), address.bytes, result.bytes.size());
    return result;
}

weir_address Address::to_abi() const {
    weir_address result{};
    std::memcpy(result.bytes, bytes.data(), bytes.size());
    return result;
}

bool Address::is_v4() const {
    return has_mapped_prefix(bytes);
}

std::string Address::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    const bool v4 = is_v4();
    inet_ntop(v4 ? AF_INET : AF_INET6, bytes.data() + (v4 ? 12 : 0), buffer.data(), buffer.size());
    return buffer.data();
}

std::string Address::to_string(std::uint16_t port) const {
    return (is_v4() ? to_string() : "[" + to_string() + "]") + ":" + std::to_string(port);
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) {
        return std::nullopt;
    }
    const auto address = Address::parse(text.substr(0, slash));
    const auto digits = text.substr(slash + 1);
    if (!address || digits.empty() || digits.size() > 3 ||
        (digits.size() > 1 && digits[0] == '0')) {
        return std::nullopt;
    }
    unsigned length = 0;
    const char* begin = &digits.front();
    const char* end = begin + digits.size();
    if (const auto [stop, error] = std::from_chars(begin, end, length);
        error != std::errc{} || stop != end) {
        return std::nullopt;
    }
    const unsigned base = address->is_v4() ? kMappedLength : 0;
    if (length > kAllBits - base) {
        return std::nullopt;
    }
    return Cidr{masked(*address, base + length), static_cast<std::uint8_t>(base + length)};
}

Cidr Cidr::of(const Address& address) {
    return Cidr{address, kAllBits};
}

Cidr Cidr::around(const Address& address, std::uint8_t length) {
    return Cidr{masked(address, length), length};
}

bool Cidr::is_v4() const {
    return prefix_length >= kMappedLength && network.is_v4();
}

bool Cidr::contains(const Address& address) const {
    return is_v4() == address.is_v4() && masked(address, prefix_length) == network;
}

bool Cidr::contains(const Cidr& other) const {
    return is_v4() == other.is_v4() && prefix_length <= other.prefix_length &&
           masked(other.network, prefix_length) == network;
}

std::string Cidr::to_string() const {
    const unsigned base = is_v4() ? kMappedLength : 0;
    return network.to_string() + "/" + std::to_string(prefix_length - base);
}

} // namespace weir

std::size_t std::hash<weir::Address>::operator()(const weir::Address& address) const noexcept {
    std::array<std::uint64_t, 2> halves{};
    std::memcpy(halves.data(), address.bytes.data(), sizeof halves);
    // Multiply and fold: pod addresses differ in few low bits of one half.
    const auto mixed = (halves[0] ^ 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL +
                       halves[1] * 0xc4ceb9fe1a85ec53ULL;
    return mixed ^ (mixed >> 29);
}

std::size_t std::hash<weir::Cidr>::operator()(const weir::Cidr& cidr) const noexcept {
    return std::hash<weir::Address>{}(cidr.network) * 131 + cidr.prefix_length;
}
