// SPDX-License-Identifier: Apache-2.0
// Built packets are valid on the wire: lengths and checksums.
#include "agent/verdicts/packet.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <vector>

namespace weir {
namespace {

std::vector<unsigned> built(const char* source, const char* destination, std::uint8_t protocol) {
    FirstPacket packet;
    packet.from = {2, 0, 0, 0, 0, 1};
    packet.to = {2, 0, 0, 0, 0, 2};
    packet.source = *Address::parse(source);
    packet.destination = *Address::parse(destination);
    packet.source_port = 40000;
    packet.destination_port = 80;
    packet.protocol = protocol;
    const PacketBuffer buffer(packet);
    std::vector<unsigned> bytes;
    for (const auto byte : buffer.bytes())
        bytes.push_back(std::to_integer<unsigned>(byte));
    return bytes;
}

// Ones' complement sum over 16-bit words: 0xffff over data that includes its own checksum.
unsigned sum(const std::vector<unsigned>& bytes, std::size_t from, std::size_t to,
             unsigned start = 0) {
    unsigned total = start;
    for (std::size_t i = from; i + 1 < to; i += 2)
        total += bytes[i] << 8 | bytes[i + 1];
    while (total >> 16 != 0)
        total = (total & 0xffff) + (total >> 16);
    return total;
}

TEST(FirstPacket, IPv4HeaderAndTransportAreValid) {
    for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP}) {
        const auto bytes = built("10.0.0.1", "10.0.0.2", protocol);
        EXPECT_EQ(bytes[12] << 8 | bytes[13], 0x0800u);
        EXPECT_EQ(bytes[16] << 8 | bytes[17], bytes.size() - 14);
        EXPECT_EQ(sum(bytes, 14, 34), 0xffffu);
        const auto length = static_cast<unsigned>(bytes.size() - 34);
        const unsigned pseudo = sum(bytes, 26, 34, protocol + length);
        EXPECT_EQ(sum(bytes, 34, bytes.size(), pseudo), 0xffffu) << int{protocol};
        EXPECT_EQ(bytes[34] << 8 | bytes[35], 40000u);
        EXPECT_EQ(bytes[36] << 8 | bytes[37], 80u);
    }
}

TEST(FirstPacket, IPv6TransportIsValid) {
    const auto bytes = built("fd00::1", "fd00::2", IPPROTO_TCP);
    EXPECT_EQ(bytes[12] << 8 | bytes[13], 0x86ddu);
    EXPECT_EQ(bytes[18] << 8 | bytes[19], bytes.size() - 54);
    const auto length = static_cast<unsigned>(bytes.size() - 54);
    const unsigned pseudo = sum(bytes, 22, 54, IPPROTO_TCP + length);
    EXPECT_EQ(sum(bytes, 54, bytes.size(), pseudo), 0xffffu);
}

TEST(FirstPacket, TcpIsASynAndSctpAnInit) {
    EXPECT_EQ(built("10.0.0.1", "10.0.0.2", IPPROTO_TCP)[34 + 13], 0x02u);
    const auto init = built("10.0.0.1", "10.0.0.2", IPPROTO_SCTP);
    EXPECT_EQ(init[34 + 12], 1u);
    EXPECT_EQ(init[34 + 14] << 8 | init[34 + 15], init.size() - 34 - 12);
}

} // namespace
} // namespace weir
