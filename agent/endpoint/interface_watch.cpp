// SPDX-License-Identifier: Apache-2.0
#include "agent/endpoint/interface_watch.h"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <utility>

#include "agent/endpoint/netlink.h"

namespace weir {
namespace {

class NetlinkWatch : public std::enable_shared_from_this<NetlinkWatch> {
public:
    NetlinkWatch(boost::asio::io_context& context, InterfaceWatch::Callbacks callbacks)
        : callbacks_(std::move(callbacks)), descriptor_(context) {}

    Result<> open() {
        mnl_socket* socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket == nullptr) return failure_errno("open a netlink socket");
        // The descriptor owns the file; mnl's handle only wraps one.
        const int fd = mnl_socket_get_fd(socket);
        const bool is_bound = mnl_socket_bind(socket, RTMGRP_LINK, MNL_SOCKET_AUTOPID) == 0;
        boost::system::error_code error;
        if (is_bound) descriptor_.assign(dup_of(fd), error);
        const int code = is_bound ? error.value() : errno;
        mnl_socket_close(socket);
        if (code != 0) return failure_errno("watch the node's interfaces", code);
        return {};
    }

    void wait() {
        descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                               [weak = weak_from_this()](const boost::system::error_code& error) {
                                   const auto self = weak.lock();
                                   if (error || !self) return;
                                   self->read();
                                   self->wait();
                               });
    }

    void close() {
        boost::system::error_code ignored;
        descriptor_.close(ignored);
        callbacks_ = {};
    }

private:
    static int dup_of(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 0); }

    void read() {
        for (;;) {
            const auto length =
                recv(descriptor_.native_handle(), buffer_.data(), buffer_.size(), 0);
            if (length < 0 && errno == EINTR) continue;
            if (length < 0 && errno == ENOBUFS) {
                is_lost_ = true; // reading on clears the condition
                continue;
            }
            if (length <= 0) break;
            parse(static_cast<int>(length));
        }
        if (is_lost_) resync();
    }

    void parse(int length) {
        auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.data());
        for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
            if (message->nlmsg_type != RTM_DELLINK) continue;
            const auto* link = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
            // A port that leaves a bridge is reported as well, in that family.
            if (link->ifi_family != AF_UNSPEC) continue;
            if (callbacks_.on_gone) callbacks_.on_gone(static_cast<std::uint32_t>(link->ifi_index));
        }
    }

    void resync() {
        const auto links = list_links();
        if (!links) return; // tried again when something can be read
        is_lost_ = false;
        std::set<std::uint32_t> existing;
        for (const Link& link : *links)
            existing.insert(link.ifindex);
        if (callbacks_.on_resync) callbacks_.on_resync(existing);
    }

    InterfaceWatch::Callbacks callbacks_;
    bool is_lost_ = false; // messages, and no resync since
    boost::asio::posix::stream_descriptor descriptor_;
    alignas(nlmsghdr) std::array<char, 65536> buffer_{};
};

// Ends the watch, though a wait may still hold on to it.
class Owner : public InterfaceWatch {
public:
    explicit Owner(std::shared_ptr<NetlinkWatch> watch) : watch_(std::move(watch)) {}
    ~Owner() override { watch_->close(); }
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;

private:
    std::shared_ptr<NetlinkWatch> watch_;
};

} // namespace

Result<std::unique_ptr<InterfaceWatch>> InterfaceWatch::start(boost::asio::io_context& context,
                                                              Callbacks callbacks) {
    auto watch = std::make_shared<NetlinkWatch>(context, std::move(callbacks));
    if (auto opened = watch->open(); !opened) return std::unexpected(std::move(opened.error()));
    watch->wait();
    return std::make_unique<Owner>(std::move(watch));
}

} // namespace weir
