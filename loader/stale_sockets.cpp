// SPDX-License-Identifier: Apache-2.0
#include "loader/stale_sockets.h"

#include <netinet/in.h>

namespace weir {
namespace {

bool is_stale(const ServiceMaps& maps, const weir_socket& socket) {
    if (socket.use.backend == 0 || socket.use.backend >= maps.backends.size()) return false;
    const weir_backend& backend = maps.backends[socket.use.backend];
    return backend.generation != socket.use.generation || backend.state == WEIR_BACKEND_REMOVED;
}

Result<bool> closes_tcp(const ServiceMaps& maps, const weir_socket& socket) {
    weir_service_key frontend{};
    frontend.address = socket.frontend;
    frontend.port = socket.port;
    frontend.protocol = IPPROTO_TCP;
    frontend.scope = WEIR_SCOPE_INTERNAL;
    auto service = maps.services.lookup(frontend);
    if (!service) return std::unexpected(std::move(service.error()));
    return *service && ((*service)->flags & WEIR_SERVICE_CLOSE_TCP) != 0;
}

} // namespace

Result<StaleSockets> find_stale_sockets(const ServiceMaps& maps) {
    StaleSockets stale;
    for (std::uint32_t i = 0; i < maps.sockets.size(); ++i) {
        const weir_socket_set& set = maps.sockets[i];
        for (std::size_t way = 0; way < WEIR_SOCKET_WAYS; ++way) {
            const auto cookie = __atomic_load_n(&set.cookies[way], __ATOMIC_ACQUIRE);
            if (cookie == 0) continue;
            const weir_socket socket = set.sockets[way];
            if (!is_stale(maps, socket)) continue;
            stale.all.insert(cookie);
            auto closes = closes_tcp(maps, socket);
            if (!closes) return std::unexpected(std::move(closes.error()));
            if (*closes) stale.close_tcp.insert(cookie);
        }
    }
    return stale;
}

} // namespace weir
