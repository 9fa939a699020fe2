// SPDX-License-Identifier: Apache-2.0
// Addresses of the maps from and to text and sockets.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <iosfwd>
#include <string_view>

#include "bpf/abi.h"

namespace weir::test {

// IPv4 is mapped. A text that is no address fails the test.
weir_address address(std::string_view text);

// One end of a connection. An IPv4 end is the same end, whichever family a socket has.
struct SocketEnd {
    weir_address address{};
    std::uint16_t port = 0;

    SocketEnd() = default;
    SocketEnd(std::string_view text, std::uint16_t its_port)
        : address(test::address(text)), port(its_port) {}
    explicit SocketEnd(const sockaddr_storage& raw);

    // family: AF_INET (only for IPv4) or AF_INET6 (for IPv4: mapped).
    sockaddr_storage raw(int family) const;
    bool operator==(const SocketEnd& other) const;
};

void PrintTo(const SocketEnd& end, std::ostream* out);

} // namespace weir::test
