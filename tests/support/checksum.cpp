// SPDX-License-Identifier: Apache-2.0
#include "tests/support/checksum.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <span>

namespace weir::test {
namespace {

std::uint16_t get16(const Bytes& bytes, std::size_t offset) {
    return static_cast<std::uint16_t>(bytes.at(offset) << 8 | bytes.at(offset + 1));
}

std::uint32_t sum_of(std::span<const std::uint8_t> bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        sum += i % 2 == 0 ? bytes[i] << 8 : bytes[i];
    return sum;
}

std::uint16_t folded(std::uint32_t sum) {
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}

bool is_v4(const Bytes& frame, std::size_t offset) {
    return frame.at(offset) >> 4 == 4;
}

bool is_later_fragment(const Bytes& frame, std::size_t offset) {
    return is_v4(frame, offset) && (get16(frame, offset + 6) & 0x1fff) != 0;
}

bool is_fragment(const Bytes& frame, std::size_t offset) {
    return is_v4(frame, offset) && (get16(frame, offset + 6) & 0x3fff) != 0;
}

// Of the transport's checksum from its header; 0: it has none.
std::size_t checksum_place(std::uint8_t protocol) {
    switch (protocol) {
        case IPPROTO_TCP:
            return 16;
        case IPPROTO_UDP:
            return 6;
        case IPPROTO_ICMP:
        case IPPROTO_ICMPV6:
            return 2;
        default:
            return 0;
    }
}

// Over the transport and, but for ICMP, what it covers of the IP header.
std::uint16_t transport_sum(const Bytes& frame, std::size_t offset, const SeenPacket& packet) {
    const auto all = std::span(frame);
    const std::size_t length = packet.end - packet.l4_offset;
    std::uint32_t sum = sum_of(all.subspan(packet.l4_offset, length));
    if (packet.protocol == IPPROTO_ICMP) return folded(sum);
    sum += is_v4(frame, offset) ? sum_of(all.subspan(offset + 12, 8))
                                : sum_of(all.subspan(offset + 8, 32));
    return folded(sum + packet.protocol + static_cast<std::uint32_t>(length));
}

std::string text_of(const Bytes& frame, std::size_t offset, int family) {
    char text[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(family, frame.data() + offset, text, sizeof(text));
    return text;
}

} // namespace

SeenPacket read_packet(const Bytes& frame, std::size_t offset) {
    SeenPacket packet;
    if (frame.size() < offset + 28) {
        ADD_FAILURE() << "a frame of " << frame.size() << " bytes has no packet at " << offset;
        return packet;
    }
    if (is_v4(frame, offset)) {
        packet.hop_limit = frame[offset + 8];
        packet.protocol = frame[offset + 9];
        packet.source = text_of(frame, offset + 12, AF_INET);
        packet.destination = text_of(frame, offset + 16, AF_INET);
        packet.l4_offset = offset + (frame[offset] & 0xfu) * 4;
        packet.end = offset + get16(frame, offset + 2);
    } else {
        packet.protocol = frame[offset + 6];
        packet.hop_limit = frame[offset + 7];
        packet.source = text_of(frame, offset + 8, AF_INET6);
        packet.destination = text_of(frame, offset + 24, AF_INET6);
        packet.l4_offset = offset + 40;
        packet.end = offset + 40 + get16(frame, offset + 4);
    }
    if (is_later_fragment(frame, offset) || frame.size() < packet.l4_offset + 8) return packet;
    if (packet.protocol == IPPROTO_ICMP || packet.protocol == IPPROTO_ICMPV6) {
        packet.icmp_type = frame[packet.l4_offset];
        packet.icmp_code = frame[packet.l4_offset + 1];
        return packet;
    }
    packet.source_port = get16(frame, packet.l4_offset);
    packet.destination_port = get16(frame, packet.l4_offset + 2);
    if (packet.protocol == IPPROTO_TCP && frame.size() > packet.l4_offset + 13)
        packet.tcp_flags = frame[packet.l4_offset + 13];
    return packet;
}

bool checksums_hold(const Bytes& frame, std::size_t offset) {
    const SeenPacket packet = read_packet(frame, offset);
    if (packet.end > frame.size()) return false;
    if (is_v4(frame, offset)) {
        const auto header = std::span(frame).subspan(offset, packet.l4_offset - offset);
        if (folded(sum_of(header)) != 0xffff) return false;
    }
    const std::size_t place = checksum_place(packet.protocol);
    if (place == 0 || is_fragment(frame, offset)) return true;
    if (packet.protocol == IPPROTO_UDP && get16(frame, packet.l4_offset + 6) == 0) return true;
    return transport_sum(frame, offset, packet) == 0xffff;
}

} // namespace weir::test
