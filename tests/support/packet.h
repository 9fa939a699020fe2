// SPDX-License-Identifier: Apache-2.0
// Builds frames byte by byte for BPF_PROG_TEST_RUN: from the inside out, lengths filled in last.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::test {

using Bytes = std::vector<std::uint8_t>;

inline std::span<const std::byte> as_bytes(const Bytes& bytes) {
    return std::as_bytes(std::span(bytes));
}

enum IpProtocol : std::uint8_t {
    kIcmp = 1,
    kTcp = 6,
    kUdp = 17,
    kGre = 47,
    kIcmp6 = 58,
    kSctp = 132
};
enum TcpFlag : std::uint8_t { kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16 };

// ---- transports ----
Bytes tcp(std::uint16_t source, std::uint16_t destination, std::uint8_t flags = kSyn,
          std::size_t payload = 0);
Bytes udp(std::uint16_t source, std::uint16_t destination, std::size_t payload = 8);
// chunk: 1 INIT, 2 INIT ACK, 0 DATA.
Bytes sctp(std::uint16_t source, std::uint16_t destination, std::uint8_t chunk = 1);
// ICMP or ICMPv6 header of 8 bytes, followed by the payload (the quoted packet of an error).
Bytes icmp(std::uint8_t type, std::uint8_t code, std::uint16_t identifier,
           const Bytes& payload = {});
// Neighbour solicitation (135) or advertisement (136) for the target.
Bytes neighbour(std::uint8_t type, std::string_view target);

// ---- network layer: source and destination as text; the family is theirs ----
struct IpOptions {
    std::uint8_t protocol = 6;
    std::uint8_t hop_limit = 64;
    std::uint16_t fragment_offset = 0; // in bytes, a multiple of 8
    bool more_fragments = false;
    std::uint32_t identification = 1;
    std::size_t header_options = 0;  // IPv4: bytes of options, a multiple of 4
    std::vector<Bytes> extensions{}; // IPv6: whole headers; their next-header bytes are filled in
    std::vector<std::uint8_t> extension_types{};
};
Bytes ip(std::string_view source, std::string_view destination, const Bytes& payload,
         const IpOptions& options = {});
// The same packet with its checksums: the IPv4 header's, and that of TCP, UDP, ICMP or ICMPv6
// behind an IP header without extensions. A fragment's transport keeps what it has.
Bytes with_checksums(Bytes packet);

// ---- frames ----
struct FrameOptions {
    std::array<std::uint8_t, 6> destination = {2, 0, 0, 0, 0, 1};
    std::array<std::uint8_t, 6> source = {2, 0, 0, 0, 0, 2};
    std::vector<std::uint16_t> vlans{}; // outermost first
    std::uint16_t ether_type = 0;       // 0: from the IP version
};
Bytes frame(const Bytes& payload, const FrameOptions& options = {});
// ARP request (1) or reply (2) for Ethernet and IPv4.
Bytes arp(std::uint16_t operation, std::string_view sender, std::string_view target);

} // namespace weir::test
