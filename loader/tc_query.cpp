// SPDX-License-Identifier: Apache-2.0
#include "loader/tc_query.h"

#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <memory>

namespace weir {
namespace {

struct SocketCloser {
    void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};
using Handler = std::function<void(const nlmsghdr*)>;

int call_handler(const nlmsghdr* message, void* handler) {
    (*static_cast<const Handler*>(handler))(message);
    return MNL_CB_OK;
}

// Asks for all objects of a kind on one interface.
Result<> dump(std::uint16_t type, std::uint32_t ifindex, std::uint32_t parent,
              const Handler& handler) {
    const std::unique_ptr<mnl_socket, SocketCloser> socket(mnl_socket_open(NETLINK_ROUTE));
    if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0)
        return failure_errno("open a netlink socket");
    std::array<char, 32768> buffer{};
    nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = type;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request->nlmsg_seq = 1;
    auto* tc = static_cast<tcmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(tcmsg)));
    tc->tcm_ifindex = static_cast<int>(ifindex);
    tc->tcm_parent = parent;
    if (mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0)
        return failure_errno("ask for tc objects");
    for (int status = MNL_CB_OK; status > MNL_CB_STOP;) {
        const auto length = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
        if (length < 0) return failure_errno("read tc objects");
        status = mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), 1,
                            mnl_socket_get_portid(socket.get()), call_handler,
                            const_cast<Handler*>(&handler));
        if (status < 0) return failure_errno("read tc objects");
    }
    return {};
}

int keep_kind(const nlattr* attribute, void* kind) {
    if (mnl_attr_get_type(attribute) == TCA_KIND)
        *static_cast<std::string*>(kind) = mnl_attr_get_str(attribute);
    return MNL_CB_OK;
}

std::string kind_of(const nlmsghdr* message) {
    std::string kind;
    mnl_attr_parse(message, sizeof(tcmsg), keep_kind, &kind);
    return kind;
}

const tcmsg& tc_of(const nlmsghdr* message) {
    return *static_cast<const tcmsg*>(mnl_nlmsg_get_payload(message));
}

} // namespace

Result<std::string> ingress_qdisc(std::uint32_t ifindex) {
    std::string kind;
    // Kernels list the qdiscs of all interfaces, whatever the request names.
    auto listed = dump(RTM_GETQDISC, ifindex, 0, [&](const nlmsghdr* message) {
        const tcmsg& tc = tc_of(message);
        if (static_cast<std::uint32_t>(tc.tcm_ifindex) == ifindex && tc.tcm_parent == TC_H_CLSACT)
            kind = kind_of(message);
    });
    if (!listed) return std::unexpected(std::move(listed.error()));
    return kind;
}

Result<bool> has_filters(std::uint32_t ifindex) {
    bool is_any = false;
    for (const std::uint32_t side : {TC_H_MIN_INGRESS, TC_H_MIN_EGRESS}) {
        auto listed = dump(RTM_GETTFILTER, ifindex, TC_H_MAKE(TC_H_CLSACT, side),
                           [&](const nlmsghdr*) { is_any = true; });
        if (!listed) return std::unexpected(std::move(listed.error()));
    }
    return is_any;
}

} // namespace weir
