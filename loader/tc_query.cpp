// SPDX-License-Identifier: Apache-2.0
#include "loader/tc_query.h"

#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <array>

#include "loader/netlink.h"

namespace weir {
namespace {

// Asks for all objects of a kind on one interface.
Result<> dump(std::uint16_t type, std::uint32_t ifindex, std::uint32_t parent,
              const Netlink::Handler& handler) {
    auto netlink = Netlink::open(NETLINK_ROUTE);
    if (!netlink) return std::unexpected(std::move(netlink.error()));
    std::array<char, 512> buffer{};
    nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = type;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    auto* tc = static_cast<tcmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(tcmsg)));
    tc->tcm_ifindex = static_cast<int>(ifindex);
    tc->tcm_parent = parent;
    auto asked = netlink->ask(request, handler);
    if (!asked) asked.error().what = "ask for tc objects: " + asked.error().what;
    return asked;
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
