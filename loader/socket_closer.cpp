// SPDX-License-Identifier: Apache-2.0
// By SOCK_DESTROY of sock_diag: it is there on every kernel that Weir supports, while
// bpf_sock_destroy in an iterator (6.5) would only be a second way to the same end.
#include "loader/socket_closer.h"

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>

#include <array>
#include <thread>

#include "loader/netlink.h"

namespace weir {
namespace {

// What has a peer: a connected UDP socket is ESTABLISHED.
constexpr std::uint32_t kConnected =
    (1u << TCP_ESTABLISHED) | (1u << TCP_SYN_SENT) | (1u << TCP_FIN_WAIT1) | (1u << TCP_FIN_WAIT2) |
    (1u << TCP_CLOSE_WAIT) | (1u << TCP_LAST_ACK) | (1u << TCP_CLOSING);

struct Kind {
    std::uint8_t family;
    std::uint8_t protocol;
};
constexpr Kind kKinds[] = {{AF_INET, IPPROTO_TCP},
                           {AF_INET6, IPPROTO_TCP},
                           {AF_INET, IPPROTO_UDP},
                           {AF_INET6, IPPROTO_UDP}};

using Buffer = std::array<char, 512>;

inet_diag_req_v2* put_request(Buffer& buffer, std::uint16_t type, std::uint16_t flags,
                              const Kind& kind) {
    nlmsghdr* header = mnl_nlmsg_put_header(buffer.data());
    header->nlmsg_type = type;
    header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    auto* request = static_cast<inet_diag_req_v2*>(
        mnl_nlmsg_put_extra_header(header, sizeof(inet_diag_req_v2)));
    request->sdiag_family = kind.family;
    request->sdiag_protocol = kind.protocol;
    request->idiag_states = kConnected;
    return request;
}

std::uint64_t cookie_of(const inet_diag_sockid& id) {
    return (std::uint64_t{id.idiag_cookie[1]} << 32) | id.idiag_cookie[0];
}

Result<std::vector<inet_diag_sockid>> find_doomed(const Netlink& netlink, const Kind& kind,
                                                  const IsDoomed& is_doomed) {
    Buffer buffer{};
    put_request(buffer, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, kind);
    std::vector<inet_diag_sockid> doomed;
    auto listed =
        netlink.ask(reinterpret_cast<nlmsghdr*>(buffer.data()), [&](const nlmsghdr* message) {
            const auto* found = static_cast<const inet_diag_msg*>(mnl_nlmsg_get_payload(message));
            if (is_doomed(kind.protocol, cookie_of(found->id))) doomed.push_back(found->id);
        });
    if (!listed && listed.error().code == ENOENT) return doomed; // no such protocol in this kernel
    if (!listed) return std::unexpected(std::move(listed.error()));
    return doomed;
}

// Whether it was there to be closed.
Result<bool> close_one(const Netlink& netlink, const Kind& kind, const inet_diag_sockid& id) {
    Buffer buffer{};
    put_request(buffer, SOCK_DESTROY, NLM_F_ACK, kind)->id = id;
    auto closed = netlink.ask(reinterpret_cast<nlmsghdr*>(buffer.data()));
    if (closed) return true;
    if (closed.error().code == ENOENT) return false;
    if (closed.error().code == EOPNOTSUPP)
        return failure(
            "this kernel cannot close the sockets of removed backends: it needs "
            "CONFIG_INET_DIAG_DESTROY; their owners see time-outs instead");
    return std::unexpected(std::move(closed.error()));
}

Result<std::uint32_t> close_here(const IsDoomed& is_doomed) {
    auto netlink = Netlink::open(NETLINK_SOCK_DIAG);
    if (!netlink) return std::unexpected(std::move(netlink.error()));
    std::uint32_t count = 0;
    for (const Kind& kind : kKinds) {
        auto doomed = find_doomed(*netlink, kind, is_doomed);
        if (!doomed) return std::unexpected(std::move(doomed.error()));
        for (const inet_diag_sockid& id : *doomed) {
            auto closed = close_one(*netlink, kind, id);
            if (!closed) return std::unexpected(std::move(closed.error()));
            count += *closed ? 1 : 0;
        }
    }
    return count;
}

} // namespace

Result<std::uint32_t> close_sockets(int netns, const IsDoomed& is_doomed) {
    Result<std::uint32_t> result;
    std::thread([&] { // the namespace is the thread's
        if (::setns(netns, CLONE_NEWNET) == 0)
            result = close_here(is_doomed);
        else
            result = failure_errno("enter the network namespace of a pod");
    })
        .join();
    return result;
}

} // namespace weir
