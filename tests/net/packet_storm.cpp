// SPDX-License-Identifier: Apache-2.0
#include "tests/net/packet_storm.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace weir {
namespace {

constexpr std::size_t kRecent = 200;
constexpr std::chrono::milliseconds kUnderWay{500};

sockaddr_in6 mapped(const std::string& text, std::uint16_t port) {
    sockaddr_in6 result{};
    result.sin6_family = AF_INET6;
    result.sin6_port = htons(port);
    const auto v6 = text.find(':') == std::string::npos ? "::ffff:" + text : text;
    inet_pton(AF_INET6, v6.c_str(), &result.sin6_addr);
    return result;
}

bool is_ready(int fd, short events) {
    pollfd poller{fd, events, 0};
    return poll(&poller, 1, 0) == 1;
}

} // namespace

PacketStorm::PacketStorm(const Netns& from, std::vector<StormFlow> flows,
                         std::chrono::microseconds interval)
    : flows_(std::move(flows)),
      interval_(interval),
      counts_(flows_.size()),
      steady_(flows_.size()),
      thread_([this, &from] {
          from.inside([this] {
              loop();
              return 0;
          });
      }) {}

PacketStorm::~PacketStorm() {
    if (thread_.joinable()) finish();
}

void PacketStorm::finish() {
    is_stopping_ = true;
    thread_.join();
}

void PacketStorm::loop() {
    for (std::size_t i = 0; i < flows_.size(); ++i)
        if (!flows_[i].is_fresh) steady_[i] = {open(i), i, false};
    auto next = std::chrono::steady_clock::now();
    for (std::size_t turn = 0; !is_stopping_; ++turn) {
        send_packet(turn % flows_.size());
        next += interval_;
        std::this_thread::sleep_until(next);
    }
    std::this_thread::sleep_for(kUnderWay);
    for (auto& socket : steady_) {
        if (socket.fd < 0) continue;
        take_answers(socket);
        close(socket.fd);
    }
    while (!recent_.empty())
        close_oldest();
}

int PacketStorm::open(std::size_t flow) const {
    const bool is_tcp = flows_[flow].protocol == IPPROTO_TCP;
    return socket(AF_INET6, (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

void PacketStorm::send_packet(std::size_t flow) {
    flows_[flow].protocol == IPPROTO_TCP ? send_syn(flow) : send_datagram(flow);
}

void PacketStorm::send_datagram(std::size_t flow) {
    const auto target = mapped(flows_[flow].address, flows_[flow].port);
    Socket socket = flows_[flow].is_fresh ? Socket{open(flow), flow, false} : steady_[flow];
    if (sendto(socket.fd, "storm", 5, 0, reinterpret_cast<const sockaddr*>(&target),
               sizeof(target)) == 5)
        ++counts_[flow].sent;
    if (!flows_[flow].is_fresh) return take_answers(socket);
    keep(socket);
}

// A connection that is closed before it came about sends nothing again.
void PacketStorm::send_syn(std::size_t flow) {
    const auto target = mapped(flows_[flow].address, flows_[flow].port);
    const Socket socket{open(flow), flow, flows_[flow].is_allowed};
    if (connect(socket.fd, reinterpret_cast<const sockaddr*>(&target), sizeof(target)) == 0 ||
        errno == EINPROGRESS)
        ++counts_[flow].sent;
    if (flows_[flow].is_allowed) return keep(socket);
    close(socket.fd);
}

void PacketStorm::take_answers(Socket& socket) {
    char buffer[64];
    if (socket.is_connecting) {
        int error = 0;
        socklen_t length = sizeof(error);
        getsockopt(socket.fd, SOL_SOCKET, SO_ERROR, &error, &length);
        if (is_ready(socket.fd, POLLOUT) && error == 0) ++counts_[socket.flow].answered;
        return;
    }
    while (recv(socket.fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
        ++counts_[socket.flow].answered;
}

void PacketStorm::keep(const Socket& socket) {
    recent_.push_back(socket);
    if (recent_.size() > kRecent) close_oldest();
}

void PacketStorm::close_oldest() {
    take_answers(recent_.front());
    close(recent_.front().fd);
    recent_.pop_front();
}

} // namespace weir
