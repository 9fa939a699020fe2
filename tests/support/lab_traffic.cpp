// SPDX-License-Identifier: Apache-2.0
#include "tests/support/lab_traffic.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace weir {
namespace {

// A test that waits for a CPU is no loss of datagrams.
void hold_seconds(int socket) {
    const int bytes = 8 << 20;
    setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
}

using Clock = std::chrono::steady_clock;

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;

    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress socket_address(const std::string& text, std::uint16_t port) {
    SocketAddress address;
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        address.length = sizeof(*v4);
    } else if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        address.length = sizeof(*v6);
    } else {
        std::fprintf(stderr, "no address: %s\n", text.c_str());
        std::abort();
    }
    return address;
}

int socket_type(int protocol) {
    return protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
}

// A non-blocking socket inside the namespace, connecting.
int connect_from(const Netns& from, const std::string& text, std::uint16_t port, int protocol) {
    const auto address = socket_address(text, port);
    return from.inside([&] {
        const int fd = socket(address.storage.ss_family,
                              socket_type(protocol) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (protocol == IPPROTO_UDP) hold_seconds(fd);
        if (connect(fd, address.get(), address.length) == 0 || errno == EINPROGRESS) return fd;
        close(fd);
        return -1;
    });
}

bool is_connected(int fd) {
    int error = 0;
    socklen_t length = sizeof(error);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

bool wait_for(int fd, short events, std::chrono::milliseconds timeout) {
    pollfd poller{fd, events, 0};
    return poll(&poller, 1, static_cast<int>(timeout.count())) == 1;
}

std::chrono::milliseconds until(Clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    return std::max(left, std::chrono::milliseconds(0));
}

void send_datagram(int fd, const std::string& payload) {
    // A denied or unreachable destination is what probes are about.
    [[maybe_unused]] const auto sent = send(fd, payload.data(), payload.size(), MSG_NOSIGNAL);
}

// Waits a moment for a reader that is slow; gives up on one that is gone.
void echo(int fd, const char* bytes, std::size_t size) {
    while (size > 0) {
        const auto n = send(fd, bytes, size, MSG_NOSIGNAL);
        if (n < 0 && (errno != EAGAIN || !wait_for(fd, POLLOUT, std::chrono::milliseconds(50))))
            return;
        bytes += std::max<ssize_t>(n, 0);
        size -= static_cast<std::size_t>(std::max<ssize_t>(n, 0));
    }
}

} // namespace

EchoServers::EchoServers() {
    if (pipe2(wake_, O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
    thread_ = std::thread([this] { loop(); });
}

EchoServers::~EchoServers() {
    is_stopping_ = true;
    close(wake_[1]);
    thread_.join();
    close(wake_[0]);
    for (const auto& socket : sockets_)
        close(socket.fd);
}

void EchoServers::listen(const Netns& netns, std::uint16_t port, int protocol) {
    const int fd = netns.inside([&] {
        const int server =
            socket(AF_INET6, socket_type(protocol) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const int on = 1;
        setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        hold_seconds(server);
        const auto any = socket_address("::", port);
        if (bind(server, any.get(), any.length) != 0 ||
            (protocol != IPPROTO_UDP && ::listen(server, 128) != 0)) {
            std::perror("listen");
            std::abort();
        }
        return server;
    });
    const std::lock_guard lock(mutex_);
    sockets_.push_back({fd, protocol == IPPROTO_UDP ? Socket::kDatagram : Socket::kListener});
    if (write(wake_[1], "", 1) != 1) std::abort();
}

int EchoServers::received(const std::string& payload) {
    const std::lock_guard lock(mutex_);
    return datagrams_[payload];
}

void EchoServers::loop() {
    while (!is_stopping_) {
        std::vector<pollfd> pollers{{wake_[0], POLLIN, 0}};
        {
            const std::lock_guard lock(mutex_);
            std::erase_if(sockets_, [](const Socket& socket) { return socket.fd < 0; });
            for (const auto& socket : sockets_)
                pollers.push_back({socket.fd, POLLIN, 0});
        }
        poll(pollers.data(), pollers.size(), -1);
        char ignored[64];
        while (read(wake_[0], ignored, sizeof(ignored)) > 0) {
        }
        const std::lock_guard lock(mutex_);
        for (std::size_t i = 1; i < pollers.size(); ++i)
            if (pollers[i].revents != 0) serve(i - 1);
    }
}

void EchoServers::serve(std::size_t index) {
    const Socket socket = sockets_[index];
    if (socket.role == Socket::kListener) {
        const int fd = accept4(socket.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) sockets_.push_back({fd, Socket::kConnection});
        return;
    }
    std::vector<char> buffer(65536);
    sockaddr_storage peer{};
    socklen_t length = sizeof(peer);
    const auto n = recvfrom(socket.fd, buffer.data(), buffer.size(), 0,
                            reinterpret_cast<sockaddr*>(&peer), &length);
    if (n > 0 && socket.role == Socket::kDatagram) {
        ++datagrams_[std::string(buffer.data(), static_cast<std::size_t>(n))];
        sendto(socket.fd, buffer.data(), static_cast<std::size_t>(n), 0,
               reinterpret_cast<sockaddr*>(&peer), length);
    } else if (n > 0) {
        echo(socket.fd, buffer.data(), static_cast<std::size_t>(n));
    } else if (socket.role == Socket::kConnection && (n == 0 || errno != EAGAIN)) {
        close(socket.fd);
        sockets_[index].fd = -1;
    }
}

std::vector<bool> probe_all(const std::vector<Probe>& probes, std::chrono::milliseconds timeout) {
    std::vector<pollfd> pollers;
    for (const auto& probe : probes) {
        const int fd = connect_from(*probe.from, probe.address, probe.port, probe.protocol);
        const bool is_udp = probe.protocol == IPPROTO_UDP;
        if (fd >= 0 && is_udp) send_datagram(fd, "probe");
        pollers.push_back({fd, static_cast<short>(is_udp ? POLLIN : POLLOUT), 0});
    }
    std::vector<bool> answered(probes.size());
    const auto deadline = Clock::now() + timeout;
    for (auto now = Clock::now(); now < deadline; now = Clock::now()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
        if (poll(pollers.data(), pollers.size(), static_cast<int>(left.count())) <= 0) break;
        for (std::size_t i = 0; i < pollers.size(); ++i) {
            if (pollers[i].fd < 0 || pollers[i].revents == 0) continue;
            answered[i] = is_connected(pollers[i].fd) && (pollers[i].revents & POLLERR) == 0;
            close(pollers[i].fd);
            pollers[i].fd = -1;
        }
    }
    for (const auto& poller : pollers)
        if (poller.fd >= 0) close(poller.fd);
    return answered;
}

bool can_reach(const Netns& from, const std::string& address, std::uint16_t port, int protocol) {
    return probe_all({{&from, address, port, protocol}}).front();
}

TcpConnection::TcpConnection(const Netns& from, const std::string& address, std::uint16_t port,
                             std::chrono::milliseconds timeout)
    : fd_(connect_from(from, address, port, IPPROTO_TCP)) {
    if (fd_ < 0 || (wait_for(fd_, POLLOUT, timeout) && is_connected(fd_))) return;
    close(fd_);
    fd_ = -1;
}

TcpConnection::~TcpConnection() {
    if (fd_ >= 0) close(fd_);
}

std::string TcpConnection::peer() const {
    sockaddr_storage raw{};
    socklen_t length = sizeof(raw);
    if (getpeername(fd_, reinterpret_cast<sockaddr*>(&raw), &length) != 0) return "";
    char text[INET6_ADDRSTRLEN] = "";
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(raw);
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(raw);
    if (raw.ss_family == AF_INET)
        inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    else
        inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    return text;
}

bool TcpConnection::send_all(const std::string& bytes, Clock::time_point deadline) {
    for (std::size_t done = 0; done < bytes.size();) {
        const auto n = send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
        if (n > 0) {
            done += static_cast<std::size_t>(n);
            continue;
        }
        if (errno != EAGAIN || !wait_for(fd_, POLLOUT, until(deadline))) return false;
    }
    return true;
}

bool TcpConnection::exchange(std::chrono::milliseconds timeout, std::size_t size) {
    const std::string end = " " + std::to_string(++lines_) + "\n";
    const auto deadline = Clock::now() + timeout;
    if (fd_ < 0 || !send_all(std::string(size, 'x') + end, deadline)) return false;
    while (!tail_.ends_with(end)) {
        if (!wait_for(fd_, POLLIN, until(deadline))) return false;
        char buffer[4096];
        const auto n = recv(fd_, buffer, sizeof(buffer), 0);
        if (n <= 0) return false;
        tail_.append(buffer, static_cast<std::size_t>(n));
        tail_.erase(0, tail_.size() - std::min<std::size_t>(tail_.size(), 16));
    }
    return true;
}

UdpStream::UdpStream(const Netns& from, const std::string& address, std::uint16_t port,
                     std::chrono::microseconds interval)
    : fd_(connect_from(from, address, port, IPPROTO_UDP)) {
    thread_ = std::thread([this, interval] { loop(interval); });
}

UdpStream::~UdpStream() {
    if (thread_.joinable()) finish();
    close(fd_);
}

void UdpStream::take_answers() {
    char buffer[64];
    while (recv(fd_, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
        ++answered_;
}

void UdpStream::loop(std::chrono::microseconds interval) {
    auto next = Clock::now();
    while (!is_stopping_) {
        send_datagram(fd_, std::to_string(++sent_));
        take_answers();
        next += interval;
        std::this_thread::sleep_until(next);
    }
}

UdpStream::Count UdpStream::finish() {
    is_stopping_ = true;
    thread_.join();
    const auto deadline = Clock::now() + std::chrono::milliseconds(300);
    while (answered_ < sent_ && Clock::now() < deadline) {
        wait_for(fd_, POLLIN, std::chrono::milliseconds(20));
        take_answers();
    }
    return count();
}

void send_datagram_as(const Netns& from, const std::string& source, const std::string& address,
                      std::uint16_t port, const std::string& payload) {
    const auto own = socket_address(source, 0);
    const auto peer = socket_address(address, port);
    const bool is_sent = from.inside([&] {
        const int fd = socket(own.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const int on = 1;
        const bool is_v6 = own.storage.ss_family == AF_INET6;
        setsockopt(fd, is_v6 ? SOL_IPV6 : SOL_IP, is_v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on,
                   sizeof(on));
        const bool is_bound = bind(fd, own.get(), own.length) == 0;
        const auto n = sendto(fd, payload.data(), payload.size(), 0, peer.get(), peer.length);
        close(fd);
        return is_bound && n == static_cast<ssize_t>(payload.size());
    });
    if (!is_sent) {
        std::perror("send_datagram_as");
        std::abort();
    }
}

void send_frame(const Netns& from, const std::string& interface, const std::string& frame) {
    const bool is_sent = from.inside([&] {
        const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
        sockaddr_ll address{};
        address.sll_family = AF_PACKET;
        address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
        const auto n = sendto(fd, frame.data(), frame.size(), 0,
                              reinterpret_cast<const sockaddr*>(&address), sizeof(address));
        close(fd);
        return n == static_cast<ssize_t>(frame.size());
    });
    if (!is_sent) std::abort();
}

std::string mac_of(const Netns& netns, const std::string& interface) {
    return netns.inside([&] {
        const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ifreq request{};
        std::strncpy(request.ifr_name, interface.c_str(), IFNAMSIZ - 1);
        if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) std::abort();
        close(fd);
        return std::string(request.ifr_hwaddr.sa_data, 6);
    });
}

std::string http_get(const Netns& netns, const std::string& address, std::uint16_t port,
                     const std::string& path) {
    const int fd = connect_from(netns, address, port, IPPROTO_TCP);
    const std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    std::string response;
    if (fd >= 0 && wait_for(fd, POLLOUT, kProbeTimeout) && is_connected(fd) &&
        send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
        char buffer[65536];
        while (wait_for(fd, POLLIN, std::chrono::seconds(5))) {
            const auto n = recv(fd, buffer, sizeof(buffer), 0);
            if (n <= 0) break;
            response.append(buffer, static_cast<std::size_t>(n));
        }
    }
    if (fd >= 0) close(fd);
    const auto body = response.find("\r\n\r\n");
    return body == std::string::npos ? std::string() : response.substr(body + 4);
}

} // namespace weir
