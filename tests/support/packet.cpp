// SPDX-License-Identifier: Apache-2.0
#include "tests/support/packet.h"

#include <arpa/inet.h>

#include <cassert>

namespace weir::test {
namespace {

void put8(Bytes& bytes, std::uint8_t value) {
    bytes.push_back(value);
}

void put16(Bytes& bytes, std::uint32_t value) {
    bytes.push_back(static_cast<std::uint8_t>(value >> 8));
    bytes.push_back(static_cast<std::uint8_t>(value));
}

void put32(Bytes& bytes, std::uint32_t value) {
    put16(bytes, value >> 16);
    put16(bytes, value & 0xffff);
}

void append(Bytes& bytes, const Bytes& more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
}

bool is_v6(std::string_view address) {
    return address.find(':') != std::string_view::npos;
}

void put_address(Bytes& bytes, std::string_view text) {
    std::array<std::uint8_t, 16> raw{};
    [[maybe_unused]] const int parsed =
        inet_pton(is_v6(text) ? AF_INET6 : AF_INET, std::string(text).c_str(), raw.data());
    assert(parsed == 1);
    bytes.insert(bytes.end(), raw.begin(), raw.begin() + (is_v6(text) ? 16 : 4));
}

Bytes ip4(std::string_view source, std::string_view destination, const Bytes& payload,
          const IpOptions& options) {
    const std::size_t header = 20 + options.header_options;
    Bytes bytes;
    put8(bytes, static_cast<std::uint8_t>(0x40 | (header / 4)));
    put8(bytes, 0);
    put16(bytes, static_cast<std::uint32_t>(header + payload.size()));
    put16(bytes, options.identification & 0xffff);
    put16(bytes, (options.more_fragments ? 0x2000u : 0u) | (options.fragment_offset / 8u));
    put8(bytes, options.hop_limit);
    put8(bytes, options.protocol);
    put16(bytes, 0); // the programs do not look at the checksum
    put_address(bytes, source);
    put_address(bytes, destination);
    bytes.resize(header, 1); // NOP options
    append(bytes, payload);
    return bytes;
}

Bytes ip6(std::string_view source, std::string_view destination, const Bytes& payload,
          const IpOptions& options) {
    std::vector<Bytes> extensions = options.extensions;
    std::vector<std::uint8_t> types = options.extension_types;
    if (options.fragment_offset || options.more_fragments) {
        Bytes fragment;
        put16(fragment, 0);
        put16(fragment, options.fragment_offset | (options.more_fragments ? 1u : 0u));
        put32(fragment, options.identification);
        extensions.push_back(fragment);
        types.push_back(44);
    }
    types.push_back(options.protocol);
    Bytes rest;
    for (std::size_t i = 0; i < extensions.size(); i++) {
        extensions[i][0] = types[i + 1];
        append(rest, extensions[i]);
    }
    append(rest, payload);
    Bytes bytes;
    put32(bytes, 0x60000000);
    put16(bytes, static_cast<std::uint32_t>(rest.size()));
    put8(bytes, types.front());
    put8(bytes, options.hop_limit);
    put_address(bytes, source);
    put_address(bytes, destination);
    append(bytes, rest);
    return bytes;
}

// As 16-bit words, the last one padded.
std::uint32_t sum_of(const Bytes& bytes, std::size_t from, std::size_t to) {
    std::uint32_t sum = 0;
    for (std::size_t i = from; i < to; ++i)
        sum += static_cast<std::uint32_t>(bytes[i]) << ((i - from) % 2 == 0 ? 8 : 0);
    return sum;
}

// sum: over everything, with a zero at the checksum's place (RFC 1071).
void put_checksum(Bytes& bytes, std::size_t at, std::uint32_t sum) {
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    bytes[at] = static_cast<std::uint8_t>(~sum >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(~sum);
}

// In the transport's header; 0: it has none of this kind.
std::size_t checksum_offset(std::uint8_t protocol) {
    switch (protocol) {
        case 6:
            return 16;
        case 17:
            return 6;
        case 1:
        case 58:
            return 2;
        default:
            return 0;
    }
}

} // namespace

Bytes tcp(std::uint16_t source, std::uint16_t destination, std::uint8_t flags,
          std::size_t payload) {
    Bytes bytes;
    put16(bytes, source);
    put16(bytes, destination);
    put32(bytes, 1);
    put32(bytes, flags & kAck ? 1 : 0);
    put8(bytes, 0x50);
    put8(bytes, flags);
    put16(bytes, 65535);
    put32(bytes, 0);
    bytes.resize(bytes.size() + payload, 'x');
    return bytes;
}

Bytes udp(std::uint16_t source, std::uint16_t destination, std::size_t payload) {
    Bytes bytes;
    put16(bytes, source);
    put16(bytes, destination);
    put16(bytes, static_cast<std::uint32_t>(8 + payload));
    put16(bytes, 0);
    bytes.resize(bytes.size() + payload, 'x');
    return bytes;
}

Bytes sctp(std::uint16_t source, std::uint16_t destination, std::uint8_t chunk) {
    Bytes bytes;
    put16(bytes, source);
    put16(bytes, destination);
    put32(bytes, 0);
    put32(bytes, 0);
    put8(bytes, chunk);
    put8(bytes, 0);
    put16(bytes, 20);
    bytes.resize(bytes.size() + 16);
    return bytes;
}

Bytes icmp(std::uint8_t type, std::uint8_t code, std::uint16_t identifier, const Bytes& payload) {
    Bytes bytes;
    put8(bytes, type);
    put8(bytes, code);
    put16(bytes, 0);
    put16(bytes, identifier);
    put16(bytes, 1);
    append(bytes, payload);
    return bytes;
}

Bytes neighbour(std::uint8_t type, std::string_view target) {
    Bytes bytes = icmp(type, 0, 0);
    put_address(bytes, target);
    return bytes;
}

Bytes ip(std::string_view source, std::string_view destination, const Bytes& payload,
         const IpOptions& options) {
    return is_v6(source) ? ip6(source, destination, payload, options)
                         : ip4(source, destination, payload, options);
}

Bytes with_checksums(Bytes packet) {
    const bool is_v4 = packet[0] >> 4 == 4;
    const std::size_t header = is_v4 ? (packet[0] & 15u) * 4u : 40;
    if (is_v4) put_checksum(packet, 10, sum_of(packet, 0, header));
    const std::uint8_t protocol = packet[is_v4 ? 9 : 6];
    const bool is_fragment = is_v4 && ((packet[6] & 0x3f) != 0 || packet[7] != 0);
    const std::size_t offset = checksum_offset(protocol);
    if (is_fragment || offset == 0) return packet;
    // ICMP's covers no pseudo header.
    const auto length = static_cast<std::uint32_t>(packet.size() - header);
    std::uint32_t sum = protocol == 1 ? 0 : protocol + length;
    if (protocol != 1) sum += sum_of(packet, is_v4 ? 12 : 8, is_v4 ? 20 : 40);
    put_checksum(packet, header + offset, sum + sum_of(packet, header, packet.size()));
    return packet;
}

Bytes frame(const Bytes& payload, const FrameOptions& options) {
    Bytes bytes(options.destination.begin(), options.destination.end());
    bytes.insert(bytes.end(), options.source.begin(), options.source.end());
    for (const std::uint16_t vlan : options.vlans) {
        put16(bytes, 0x8100);
        put16(bytes, vlan);
    }
    std::uint16_t type = options.ether_type;
    if (!type) type = !payload.empty() && payload[0] >> 4 == 6 ? 0x86dd : 0x0800;
    put16(bytes, type);
    append(bytes, payload);
    return bytes;
}

Bytes arp(std::uint16_t operation, std::string_view sender, std::string_view target) {
    Bytes bytes;
    put16(bytes, 1);
    put16(bytes, 0x0800);
    put8(bytes, 6);
    put8(bytes, 4);
    put16(bytes, operation);
    bytes.resize(bytes.size() + 6, 2);
    put_address(bytes, sender);
    bytes.resize(bytes.size() + 6, 0);
    put_address(bytes, target);
    return frame(bytes, {.vlans = {}, .ether_type = 0x0806});
}

} // namespace weir::test
