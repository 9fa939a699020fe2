// SPDX-License-Identifier: Apache-2.0
#include "agent/verdicts/packet.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <boost/crc.hpp>
#include <cassert>
#include <cstring>
#include <vector>

namespace weir {
namespace {

using Bytes = std::vector<std::uint8_t>;

void put_u16(Bytes& bytes, std::size_t at, std::size_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}

// RFC 1071, over several pieces of even length.
class Checksum {
public:
    Checksum& add(std::span<const std::uint8_t> piece) {
        for (std::size_t i = 0; i + 1 < piece.size(); i += 2) {
            sum_ += static_cast<std::uint32_t>(piece[i] << 8 | piece[i + 1]);
        }
        return *this;
    }
    Checksum& add(std::size_t word) {
        sum_ += static_cast<std::uint32_t>(word);
        return *this;
    }
    std::uint16_t value() const {
        std::uint32_t folded = sum_;
        while (folded >> 16 != 0)
            folded = (folded & 0xffff) + (folded >> 16);
        return static_cast<std::uint16_t>(~folded);
    }

private:
    std::uint32_t sum_ = 0;
};

std::span<const std::uint8_t> on_wire(const Address& address) {
    return address.is_v4() ? std::span(address.bytes).last(4) : std::span(address.bytes);
}

// The pseudo header (RFC 9293 3.1, RFC 8200 8.1) sums to the same words in both families.
std::uint16_t transport_checksum(const FirstPacket& packet, const Bytes& segment) {
    return Checksum()
        .add(on_wire(packet.source))
        .add(on_wire(packet.destination))
        .add(packet.protocol)
        .add(segment.size())
        .add(segment)
        .value();
}

Bytes tcp_syn(const FirstPacket& packet) {
    Bytes segment(20);
    segment[7] = 1;       // sequence number
    segment[12] = 5 << 4; // header length in words
    segment[13] = 0x02;   // SYN
    put_u16(segment, 14, 64240);
    put_u16(segment, 0, packet.source_port);
    put_u16(segment, 2, packet.destination_port);
    put_u16(segment, 16, transport_checksum(packet, segment));
    return segment;
}

Bytes udp_datagram(const FirstPacket& packet) {
    Bytes datagram(8 + 8);
    put_u16(datagram, 0, packet.source_port);
    put_u16(datagram, 2, packet.destination_port);
    put_u16(datagram, 4, datagram.size());
    const std::uint16_t checksum = transport_checksum(packet, datagram);
    put_u16(datagram, 6, checksum == 0 ? 0xffff : checksum); // RFC 768: 0 means none
    return datagram;
}

Bytes sctp_init(const FirstPacket& packet) {
    Bytes segment(12 + 20);
    put_u16(segment, 0, packet.source_port);
    put_u16(segment, 2, packet.destination_port);
    segment[12] = 1; // INIT
    put_u16(segment, 14, 20);
    segment[19] = 1; // initiate tag
    put_u16(segment, 20, 0xffff);
    put_u16(segment, 24, 1); // outbound and inbound streams
    put_u16(segment, 26, 1);
    segment[31] = 1;
    // RFC 9260 appendix A: CRC32c, least significant byte first.
    boost::crc_optimal<32, 0x1edc6f41, 0xffffffff, 0xffffffff, true, true> crc;
    crc.process_bytes(segment.data(), segment.size());
    const std::uint32_t value = crc.checksum();
    for (unsigned i = 0; i < 4; ++i)
        segment[8 + i] = static_cast<std::uint8_t>(value >> (8 * i));
    return segment;
}

Bytes transport(const FirstPacket& packet) {
    switch (packet.protocol) {
        case IPPROTO_TCP:
            return tcp_syn(packet);
        case IPPROTO_UDP:
            return udp_datagram(packet);
        default:
            assert(packet.protocol == IPPROTO_SCTP);
            return sctp_init(packet);
    }
}

Bytes ip_header(const FirstPacket& packet, std::size_t payload) {
    const auto source = on_wire(packet.source);
    const auto destination = on_wire(packet.destination);
    const bool is_v4 = packet.source.is_v4();
    Bytes header(is_v4 ? 20 : 40);
    if (is_v4) {
        header[0] = 0x45;
        put_u16(header, 2, header.size() + payload);
        header[6] = 0x40; // don't fragment
        header[8] = 64;
        header[9] = packet.protocol;
        std::memcpy(&header[12], source.data(), 4);
        std::memcpy(&header[16], destination.data(), 4);
        put_u16(header, 10, Checksum().add(header).value());
    } else {
        header[0] = 0x60;
        put_u16(header, 4, payload);
        header[6] = packet.protocol;
        header[7] = 64;
        std::memcpy(&header[8], source.data(), 16);
        std::memcpy(&header[24], destination.data(), 16);
    }
    return header;
}

} // namespace

PacketBuffer::PacketBuffer(const FirstPacket& packet) {
    assert(packet.source.is_v4() == packet.destination.is_v4());
    const Bytes segment = transport(packet);
    const Bytes header = ip_header(packet, segment.size());
    const std::uint16_t type = htons(packet.source.is_v4() ? 0x0800 : 0x86dd);
    put(packet.to.data(), packet.to.size());
    put(packet.from.data(), packet.from.size());
    put(&type, sizeof type);
    put(header.data(), header.size());
    put(segment.data(), segment.size());
}

void PacketBuffer::put(const void* data, std::size_t size) {
    assert(size_ + size <= bytes_.size());
    std::memcpy(bytes_.data() + size_, data, size);
    size_ += size;
}

} // namespace weir
