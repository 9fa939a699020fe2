// SPDX-License-Identifier: Apache-2.0
#include "bench/service_client.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "bench/report.h"
#include "bench/service_rig.h"
#include "loader/fd.h"

namespace weir::bench {
namespace {

constexpr int kStreams = 2'000;

sockaddr_in at(std::uint32_t v4, std::uint16_t port) {
    sockaddr_in end{};
    end.sin_family = AF_INET;
    end.sin_port = htons(port);
    end.sin_addr.s_addr = htonl(v4);
    return end;
}

Result<std::vector<Fd>> listen_at_backends() {
    std::vector<Fd> listeners;
    for (std::uint32_t i = 0; i < kBackendAddresses; ++i) {
        const sockaddr_in here = at(kBackendBase + 1 + i, kBackendPort);
        const int on = 1;
        Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
        ::setsockopt(listener.value(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (::bind(listener.value(), reinterpret_cast<const sockaddr*>(&here), sizeof(here)) != 0 ||
            ::listen(listener.value(), 64) != 0)
            return failure_errno("listen");
        listeners.push_back(std::move(listener));
    }
    return listeners;
}

} // namespace

sockaddr_in service_end(std::uint32_t number) {
    return at(kServiceBase + number, kServicePort);
}

bool connects(int socket, const sockaddr_in& end) {
    return ::connect(socket, reinterpret_cast<const sockaddr*>(&end), sizeof(end)) == 0;
}

Result<double> stream_connect(std::uint32_t services) {
    const auto listeners = listen_at_backends();
    if (!listeners) return std::unexpected(listeners.error());
    Samples samples;
    std::uint32_t number = 0;
    for (int i = 0; i < kStreams; ++i) {
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        const Fd socket(::socket(AF_INET, SOCK_STREAM, 0));
        ::setsockopt(socket.value(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        number = next_service(number, services == 0 ? kBackendAddresses : services);
        const sockaddr_in to =
            services == 0 ? at(kBackendBase + 1 + number, kBackendPort) : service_end(number);
        const auto begin = std::chrono::steady_clock::now();
        if (!connects(socket.value(), to)) return failure_errno("connect a stream");
        samples.push_back(
            std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
                .count());
        for (const Fd& listener : *listeners)
            const Fd accepted(::accept(listener.value(), nullptr, nullptr));
    }
    return median(samples);
}

} // namespace weir::bench
