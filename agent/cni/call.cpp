// SPDX-License-Identifier: Apache-2.0
#include "agent/cni/call.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include "loader/fd.h"

namespace weir {
namespace {

using Clock = std::chrono::steady_clock;

std::unexpected<std::string> because(int code) {
    return std::unexpected(std::string(std::strerror(code)));
}

std::expected<Fd, std::string> connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) return because(ENAMETOOLONG);
    path.copy(address.sun_path, path.size());
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.is_open()) return because(errno);
    if (::connect(fd.value(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        return because(errno);
    }
    return fd;
}

// Waits until the socket is ready for the events; 0, or an errno value.
int wait_for(const Fd& fd, short events, Clock::time_point deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd wait{.fd = fd.value(), .events = events, .revents = 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    return ready > 0 ? 0 : ready == 0 ? ETIMEDOUT : errno == EINTR ? 0 : errno;
}

std::expected<void, std::string> send_all(const Fd& fd, const std::string& text,
                                          Clock::time_point deadline) {
    for (std::size_t done = 0; done < text.size();) {
        if (const int code = wait_for(fd, POLLOUT, deadline); code != 0) return because(code);
        const auto sent =
            ::send(fd.value(), text.data() + done, text.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) return because(errno);
        if (sent > 0) done += static_cast<std::size_t>(sent);
    }
    if (::shutdown(fd.value(), SHUT_WR) != 0) return because(errno);
    return {};
}

std::expected<std::string, std::string> receive_all(const Fd& fd, Clock::time_point deadline) {
    std::string text;
    std::array<char, 4096> buffer{};
    while (true) {
        if (const int code = wait_for(fd, POLLIN, deadline); code != 0) return because(code);
        const auto count = ::recv(fd.value(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (count == 0) return text;
        if (count < 0 && errno != EAGAIN && errno != EINTR) return because(errno);
        if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
    }
}

constexpr std::chrono::milliseconds kAskAgain{50};

std::expected<CniReply, std::string> ask(const std::string& socket, const CniRequest& request,
                                         Clock::time_point deadline) {
    const auto fd = connect_to(socket);
    if (!fd) return std::unexpected(fd.error());
    if (auto sent = send_all(*fd, encode(request), deadline); !sent) {
        return std::unexpected(std::move(sent.error()));
    }
    const auto text = receive_all(*fd, deadline);
    if (!text) return std::unexpected(text.error());
    auto reply = decode_reply(*text);
    if (!reply) return std::unexpected(text->empty() ? "it hung up" : "it answered nonsense");
    return std::move(*reply);
}

} // namespace

std::expected<CniReply, std::string> call_agent(const std::string& socket,
                                                const CniRequest& request,
                                                std::chrono::milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    auto give_up = std::min(deadline, Clock::now() + kHandOver);
    while (true) {
        const auto began = Clock::now();
        auto reply = ask(socket, request, deadline);
        if (reply || request.command != "ADD") return reply;
        const auto now = Clock::now();
        if (now - began > kAskAgain) give_up = std::min(deadline, now + kHandOver); // it was there
        if (now + kAskAgain >= give_up) return reply;
        std::this_thread::sleep_for(kAskAgain);
    }
}

} // namespace weir
