// SPDX-License-Identifier: Apache-2.0
#include "tests/support/address.h"

#include <arpa/inet.h>

#include <cassert>
#include <cstring>
#include <ostream>
#include <string>

namespace weir::test {

weir_address address(std::string_view text) {
    weir_address address{};
    const std::string copy(text);
    if (inet_pton(AF_INET6, copy.c_str(), address.bytes) == 1) return address;
    address.words[2] = htonl(0xffff);
    const int parsed = inet_pton(AF_INET, copy.c_str(), &address.words[3]);
    assert(parsed == 1); // the bench calls this too
    return address;
}

SocketEnd::SocketEnd(const sockaddr_storage& raw) {
    if (raw.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(raw);
        address.words[2] = htonl(0xffff);
        address.words[3] = v4.sin_addr.s_addr;
        port = ntohs(v4.sin_port);
    } else {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(raw);
        std::memcpy(address.bytes, &v6.sin6_addr, sizeof(address.bytes));
        port = ntohs(v6.sin6_port);
    }
}

sockaddr_storage SocketEnd::raw(int family) const {
    sockaddr_storage storage{};
    storage.ss_family = static_cast<sa_family_t>(family);
    if (family == AF_INET) {
        auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
        v4.sin_addr.s_addr = address.words[3];
        v4.sin_port = htons(port);
    } else {
        auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
        std::memcpy(&v6.sin6_addr, address.bytes, sizeof(address.bytes));
        v6.sin6_port = htons(port);
    }
    return storage;
}

bool SocketEnd::operator==(const SocketEnd& other) const {
    return port == other.port &&
           std::memcmp(address.bytes, other.address.bytes, sizeof(address.bytes)) == 0;
}

void PrintTo(const SocketEnd& end, std::ostream* out) {
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(AF_INET6, end.address.bytes, text, sizeof(text));
    *out << '[' << text << "]:" << end.port;
}

} // namespace weir::test
