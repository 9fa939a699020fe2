// SPDX-License-Identifier: Apache-2.0
#include "agent/endpoint/netlink.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include "loader/netlink.h"

namespace weir {
namespace {

constexpr std::size_t kAttributes = 64;
using Attributes = std::array<const nlattr*, kAttributes>;

int keep_attribute(const nlattr* attribute, void* attributes) {
    const std::size_t type = mnl_attr_get_type(attribute);
    if (type < kAttributes) (*static_cast<Attributes*>(attributes))[type] = attribute;
    return MNL_CB_OK;
}

Attributes attributes_of(const nlmsghdr* message, unsigned header_size) {
    Attributes attributes{};
    mnl_attr_parse(message, header_size, keep_attribute, &attributes);
    return attributes;
}

// Sends the request and hands each message of the answer to the handler.
Result<> ask(nlmsghdr* request, const Netlink::Handler& handler) {
    auto netlink = Netlink::open(NETLINK_ROUTE);
    if (!netlink) return std::unexpected(std::move(netlink.error()));
    request->nlmsg_flags = static_cast<std::uint16_t>(request->nlmsg_flags | NLM_F_REQUEST);
    if ((request->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
        request->nlmsg_flags = static_cast<std::uint16_t>(request->nlmsg_flags | NLM_F_ACK);
    return netlink->ask(request, handler);
}

std::size_t header_size(std::uint16_t type) {
    switch (type) {
        case RTM_GETLINK:
            return sizeof(ifinfomsg);
        case RTM_GETROUTE:
            return sizeof(rtmsg);
        default:
            return sizeof(ifaddrmsg);
    }
}

// A dump that changed while it was made (EINTR) is made again.
Result<> dump(std::uint16_t type, std::uint8_t family, const Netlink::Handler& handler,
              const std::function<void()>& restart) {
    for (int attempt = 1;; ++attempt) {
        restart();
        alignas(nlmsghdr) std::array<char, 256> buffer{};
        nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
        request->nlmsg_type = type;
        request->nlmsg_flags = NLM_F_DUMP;
        // Each of the headers begins with the family and is zero otherwise.
        auto* header =
            static_cast<std::uint8_t*>(mnl_nlmsg_put_extra_header(request, header_size(type)));
        *header = family;
        auto done = ask(request, handler);
        if (done || done.error().code != EINTR || attempt == 5) return done;
    }
}

std::string kind_of(const nlattr* link_info) {
    Attributes attributes{};
    mnl_attr_parse_nested(link_info, keep_attribute, &attributes);
    const nlattr* kind = attributes[IFLA_INFO_KIND];
    return kind != nullptr ? mnl_attr_get_str(kind) : "";
}

std::optional<Address> parse_address(const ifaddrmsg& header, const nlattr* value) {
    Address address;
    const std::size_t length = mnl_attr_get_payload_len(value);
    if (header.ifa_family == AF_INET6 && length == 16) {
        std::memcpy(address.bytes.data(), mnl_attr_get_payload(value), 16);
        return address;
    }
    if (header.ifa_family != AF_INET || length != 4) return std::nullopt;
    address.bytes[10] = address.bytes[11] = 0xff;
    std::memcpy(address.bytes.data() + 12, mnl_attr_get_payload(value), 4);
    return address;
}

// The interface of a route, or those of its next hops.
void add_interfaces(const Attributes& route, std::set<std::uint32_t>& interfaces) {
    if (route[RTA_OIF] != nullptr) interfaces.insert(mnl_attr_get_u32(route[RTA_OIF]));
    if (route[RTA_MULTIPATH] == nullptr) return;
    const auto* hop = static_cast<const rtnexthop*>(mnl_attr_get_payload(route[RTA_MULTIPATH]));
    int left = mnl_attr_get_payload_len(route[RTA_MULTIPATH]);
    for (; RTNH_OK(hop, left); hop = RTNH_NEXT(hop)) {
        interfaces.insert(static_cast<std::uint32_t>(hop->rtnh_ifindex));
        left -= RTNH_ALIGN(hop->rtnh_len);
    }
}

} // namespace

Link parse_link(const nlmsghdr* message) {
    const auto* header = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
    const Attributes attributes = attributes_of(message, sizeof(ifinfomsg));
    Link link;
    link.ifindex = static_cast<std::uint32_t>(header->ifi_index);
    if (attributes[IFLA_IFNAME] != nullptr) link.name = mnl_attr_get_str(attributes[IFLA_IFNAME]);
    if (attributes[IFLA_LINKINFO] != nullptr) link.kind = kind_of(attributes[IFLA_LINKINFO]);
    if (const nlattr* mac = attributes[IFLA_ADDRESS];
        mac != nullptr && mnl_attr_get_payload_len(mac) == link.mac.size())
        std::memcpy(link.mac.data(), mnl_attr_get_payload(mac), link.mac.size());
    if (attributes[IFLA_LINK] != nullptr)
        link.peer_ifindex = mnl_attr_get_u32(attributes[IFLA_LINK]);
    if (const nlattr* nsid = attributes[IFLA_LINK_NETNSID]; nsid != nullptr)
        link.peer_nsid = static_cast<std::int32_t>(mnl_attr_get_u32(nsid));
    return link;
}

Result<std::vector<Link>> list_links() {
    std::vector<Link> links;
    auto done = dump(
        RTM_GETLINK, AF_UNSPEC,
        [&](const nlmsghdr* message) {
            if (message->nlmsg_type == RTM_NEWLINK) links.push_back(parse_link(message));
        },
        [&] { links.clear(); });
    if (!done) return std::unexpected(std::move(done.error()));
    return links;
}

Result<std::optional<Link>> find_link(std::uint32_t ifindex) {
    alignas(nlmsghdr) std::array<char, 256> buffer{};
    nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = RTM_GETLINK;
    auto* header = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg)));
    header->ifi_index = static_cast<int>(ifindex);
    std::optional<Link> link;
    auto done = ask(request, [&](const nlmsghdr* message) {
        if (message->nlmsg_type == RTM_NEWLINK) link = parse_link(message);
    });
    if (!done && done.error().code != ENODEV) return std::unexpected(std::move(done.error()));
    return link;
}

Result<std::vector<Address>> list_addresses(std::uint32_t ifindex) {
    std::vector<Address> addresses;
    const auto keep = [&](const nlmsghdr* message) {
        const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
        if (message->nlmsg_type != RTM_NEWADDR || header->ifa_index != ifindex) return;
        const Attributes attributes = attributes_of(message, sizeof(ifaddrmsg));
        // On a point-to-point interface IFA_ADDRESS is the other end's.
        const nlattr* value =
            attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
        if (value == nullptr) return;
        if (const auto address = parse_address(*header, value)) addresses.push_back(*address);
    };
    auto done = dump(RTM_GETADDR, AF_UNSPEC, keep, [&] { addresses.clear(); });
    if (!done) return std::unexpected(std::move(done.error()));
    return addresses;
}

Result<std::set<std::uint32_t>> list_default_interfaces() {
    std::set<std::uint32_t> interfaces;
    const auto keep = [&](const nlmsghdr* message) {
        const auto* route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
        if (message->nlmsg_type != RTM_NEWROUTE || route->rtm_dst_len != 0 ||
            route->rtm_type != RTN_UNICAST)
            return;
        const Attributes attributes = attributes_of(message, sizeof(rtmsg));
        if (attributes[RTA_TABLE] != nullptr &&
            mnl_attr_get_u32(attributes[RTA_TABLE]) != RT_TABLE_MAIN)
            return;
        add_interfaces(attributes, interfaces);
    };
    auto done = dump(RTM_GETROUTE, AF_UNSPEC, keep, [&] { interfaces.clear(); });
    if (!done) return std::unexpected(std::move(done.error()));
    return interfaces;
}

Result<std::optional<std::int32_t>> find_nsid(int netns_fd) {
    alignas(nlmsghdr) std::array<char, 256> buffer{};
    nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = RTM_GETNSID;
    mnl_nlmsg_put_extra_header(request, sizeof(rtgenmsg));
    mnl_attr_put_u32(request, NETNSA_FD, static_cast<std::uint32_t>(netns_fd));
    std::optional<std::int32_t> nsid;
    auto done = ask(request, [&](const nlmsghdr* message) {
        const Attributes attributes = attributes_of(message, sizeof(rtgenmsg));
        if (attributes[NETNSA_NSID] == nullptr) return;
        const auto value = static_cast<std::int32_t>(mnl_attr_get_u32(attributes[NETNSA_NSID]));
        if (value >= 0) nsid = value;
    });
    if (!done) return std::unexpected(std::move(done.error()));
    return nsid;
}

} // namespace weir
