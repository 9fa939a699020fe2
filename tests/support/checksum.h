// SPDX-License-Identifier: Apache-2.0
// Frames taken apart again, and whether their checksums hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/support/packet.h"

namespace weir::test {

// What an IP packet says of itself. The transport's fields are 0 in a later fragment.
struct SeenPacket {
    std::string source;
    std::string destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint8_t protocol = 0;
    std::uint8_t hop_limit = 0;
    std::uint8_t icmp_type = 0;
    std::uint8_t icmp_code = 0;
    std::uint8_t tcp_flags = 0;
    std::size_t l4_offset = 0; // in the frame
    std::size_t end = 0;       // of the packet, in the frame
};

// The packet at the offset; of an untagged frame by default. No extension headers. A frame that is
// cut short fails the test.
SeenPacket read_packet(const Bytes& frame, std::size_t offset = 14);

// Whether all of its checksums are right: of the IPv4 header, of TCP, UDP and ICMP. A UDP checksum
// of 0 is.
bool checksums_hold(const Bytes& frame, std::size_t offset = 14);

} // namespace weir::test
