// SPDX-License-Identifier: Apache-2.0
#include "tests/net/packet_flood.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

constexpr std::size_t kBatch = 128;
// The queues behind every veth are short: what they lose never comes to Weir.
constexpr std::chrono::microseconds kPause{300};
constexpr std::size_t kUdpHeaderEnd = kPortsOffset + 8;
constexpr std::size_t kNextHeader = 14 + 6;

int packet_socket(const Netns& netns, std::uint16_t protocol) {
    const int fd = netns.inside([&] {
        const int packet = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
        sockaddr_ll address{};
        address.sll_family = AF_PACKET;
        address.sll_protocol = htons(protocol);
        address.sll_ifindex = static_cast<int>(if_nametoindex("eth0"));
        const auto* bound = reinterpret_cast<const sockaddr*>(&address);
        return bind(packet, bound, sizeof(address)) == 0 ? packet : -1;
    });
    if (fd < 0) {
        std::perror("packet socket");
        std::abort();
    }
    return fd;
}

// Packets that eth0 could not hand to its peer.
std::uint64_t lost(const Netns& netns) {
    const auto shown = netns.run({"ip", "-j", "-s", "link", "show", "eth0"});
    return nlohmann::json::parse(shown.out).at(0)["stats64"]["tx"]["dropped"];
}

} // namespace

std::uint64_t flood(const Netns& from, const test::Bytes& frame, std::uint32_t count,
                    std::size_t number_offset, std::uint32_t first) {
    const std::uint64_t lost_before = lost(from);
    const int fd = packet_socket(from, 0);
    std::array<test::Bytes, kBatch> frames;
    std::array<iovec, kBatch> parts{};
    std::array<mmsghdr, kBatch> messages{};
    frames.fill(frame);
    for (std::size_t i = 0; i < kBatch; ++i) {
        parts[i] = {frames[i].data(), frames[i].size()};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    std::uint64_t sent = 0;
    for (std::uint32_t number = 0; number < count;) {
        const auto batch = std::min<std::uint32_t>(kBatch, count - number);
        for (std::uint32_t i = 0; i < batch && number_offset != 0; ++i) {
            const std::uint32_t value = htonl(first + number + i);
            std::memcpy(frames[i].data() + number_offset, &value, sizeof(value));
        }
        const int done = sendmmsg(fd, messages.data(), batch, 0);
        if (done > 0) sent += static_cast<std::uint64_t>(done);
        number += batch;
        std::this_thread::sleep_for(kPause);
    }
    close(fd);
    return sent - (lost(from) - lost_before);
}

Reflector::Reflector(const Netns& netns) : fd_(packet_socket(netns, ETH_P_IPV6)) {
    const int bytes = 32 << 20, on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
    setsockopt(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
    thread_ = std::thread([this] { loop(); });
}

Reflector::~Reflector() {
    is_stopping_ = true;
    thread_.join();
    close(fd_);
}

void Reflector::loop() {
    test::Bytes frame(2048);
    while (!is_stopping_) {
        pollfd poller{fd_, POLLIN, 0};
        if (poll(&poller, 1, 20) != 1) continue;
        const auto size = recv(fd_, frame.data(), frame.size(), 0);
        if (size < static_cast<ssize_t>(kUdpHeaderEnd) || frame[kNextHeader] != IPPROTO_UDP)
            continue;
        const auto exchange = [&](std::size_t offset, std::size_t length) {
            const auto first = frame.begin() + static_cast<std::ptrdiff_t>(offset);
            std::swap_ranges(first, first + static_cast<std::ptrdiff_t>(length),
                             first + static_cast<std::ptrdiff_t>(length));
        };
        exchange(0, 6);            // MACs
        exchange(14 + 8, 16);      // addresses
        exchange(kPortsOffset, 2); // ports
        if (send(fd_, frame.data(), static_cast<std::size_t>(size), 0) == size) ++answered_;
    }
}

} // namespace weir
