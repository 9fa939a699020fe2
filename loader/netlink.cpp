// SPDX-License-Identifier: Apache-2.0
#include "loader/netlink.h"

#include <libmnl/libmnl.h>
#include <sys/socket.h>

#include <array>

namespace weir {
namespace {

constexpr std::uint32_t kSequence = 1;

int call_handler(const nlmsghdr* message, void* handler) {
    (*static_cast<const Netlink::Handler*>(handler))(message);
    return MNL_CB_OK;
}

} // namespace

void Netlink::Closer::operator()(mnl_socket* socket) const {
    mnl_socket_close(socket);
}

Result<Netlink> Netlink::open(int bus) {
    Netlink netlink;
    netlink.socket_.reset(mnl_socket_open2(bus, SOCK_CLOEXEC));
    if (!netlink.socket_ || mnl_socket_bind(netlink.socket_.get(), 0, MNL_SOCKET_AUTOPID) < 0)
        return failure_errno("open a netlink socket");
    return netlink;
}

Result<> Netlink::ask(nlmsghdr* request, const Handler& handler) const {
    request->nlmsg_seq = kSequence;
    if (mnl_socket_sendto(socket_.get(), request, request->nlmsg_len) < 0)
        return failure_errno("send a netlink request");
    std::array<char, 32768> buffer{};
    for (int status = MNL_CB_OK; status > MNL_CB_STOP;) {
        const auto length = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
        if (length < 0) return failure_errno("read a netlink answer");
        status = mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), kSequence,
                            mnl_socket_get_portid(socket_.get()), call_handler,
                            const_cast<Handler*>(&handler));
        if (status < 0) return failure_errno("read a netlink answer");
    }
    return {};
}

} // namespace weir
