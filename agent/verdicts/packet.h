// SPDX-License-Identifier: Apache-2.0
// The first packet of a connection, as it would be on the wire: Ethernet, IP, and a TCP SYN, a UDP
// datagram or an SCTP INIT, with valid lengths and checksums.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "policy/address.h"

namespace weir {

using MacAddress = std::array<std::uint8_t, 6>;

struct FirstPacket {
    MacAddress from{};
    MacAddress to{};
    Address source;
    Address destination; // of the source's family
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint8_t protocol = 0; // IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP
};

class PacketBuffer {
public:
    explicit PacketBuffer(const FirstPacket& packet);

    std::span<const std::byte> bytes() const { return std::span(bytes_).first(size_); }

private:
    void put(const void* data, std::size_t size);

    std::array<std::byte, 128> bytes_{};
    std::size_t size_ = 0;
};

} // namespace weir
