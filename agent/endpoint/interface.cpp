// SPDX-License-Identifier: Apache-2.0
#include "agent/endpoint/interface.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include <algorithm>
#include <thread>

#include "loader/fd.h"

namespace weir {
namespace {

bool is_link_local(const Address& address) {
    return address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

// RFC 4291, appendix A.
Address eui64_link_local(const Mac& mac) {
    Address address;
    address.bytes = {
        0xfe,   0x80,   0,    0,    0,      0,      0,     0, static_cast<std::uint8_t>(mac[0] ^ 2),
        mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
    return address;
}

Result<Fd> open_netns(const std::filesystem::path& netns) {
    Fd fd(open(netns.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.is_open())
        return failure_errno("open the network namespace " + netns.string() +
                             " (give the path the runtime made, such as /run/netns/NAME)");
    struct statfs info{};
    if (fstatfs(fd.value(), &info) != 0 || info.f_type != NSFS_MAGIC ||
        ioctl(fd.value(), NS_GET_NSTYPE) != CLONE_NEWNET)
        return failure(netns.string() + " is not a network namespace");
    return fd;
}

struct InsideView {
    Link link;
    std::vector<Address> addresses;
};

Result<InsideView> look_inside(int netns, const std::string& interface) {
    if (setns(netns, CLONE_NEWNET) != 0)
        return failure_errno("enter the network namespace (needs CAP_SYS_ADMIN)");
    auto links = list_links();
    if (!links) return std::unexpected(std::move(links.error()));
    const auto link = std::ranges::find(*links, interface, &Link::name);
    if (link == links->end()) return failure("there is no such interface in it");
    auto addresses = list_addresses(link->ifindex);
    if (!addresses) return std::unexpected(std::move(addresses.error()));
    return InsideView{*link, std::move(*addresses)};
}

// On a thread of its own, because entering a namespace is for the thread's whole life.
Result<InsideView> look_from_inside(int netns, const std::string& interface) {
    Result<InsideView> view = failure("no answer");
    std::thread([&] { view = look_inside(netns, interface); }).join();
    return view;
}

// The host side is the veth here whose other side is that very interface.
Result<Link> find_host_side(int netns, const Link& inside) {
    auto link = find_link(inside.peer_ifindex);
    if (!link) return std::unexpected(std::move(link.error()));
    auto nsid = find_nsid(netns);
    if (!nsid) return std::unexpected(std::move(nsid.error()));
    const bool is_host_side = *link && (*link)->kind == "veth" &&
                              (*link)->peer_ifindex == inside.ifindex && *nsid &&
                              (*link)->peer_nsid == *nsid;
    if (!is_host_side)
        return failure(
            "the other side of its veth is not in the agent's network namespace: run "
            "the agent in the host's, or name the interface that leads there");
    return std::move(**link);
}

std::vector<Address> with_link_local(std::vector<Address> addresses, const Mac& mac) {
    const Address own = eui64_link_local(mac);
    if (std::ranges::find(addresses, own) == addresses.end()) addresses.push_back(own);
    std::ranges::stable_partition(addresses, [](const Address& a) { return !is_link_local(a); });
    return addresses;
}

Result<PodInterface> read_interface(const std::filesystem::path& netns,
                                    const std::string& interface) {
    auto fd = open_netns(netns);
    if (!fd) return std::unexpected(std::move(fd.error()));
    auto inside = look_from_inside(fd->value(), interface);
    if (!inside) return std::unexpected(std::move(inside.error()));
    if (inside->link.kind != "veth")
        return failure("it is no veth but " +
                       (inside->link.kind.empty() ? "a device" : inside->link.kind) +
                       ": Weir works with veth interfaces");
    if (!inside->link.peer_nsid)
        return failure("both sides of its veth are in the pod's network namespace");
    auto host = find_host_side(fd->value(), inside->link);
    if (!host) return std::unexpected(std::move(host.error()));
    return PodInterface{
        host->ifindex,    host->name,
        host->mac,        inside->link.ifindex,
        inside->link.mac, with_link_local(std::move(inside->addresses), inside->link.mac)};
}

} // namespace

Result<PodInterface> read_pod_interface(const std::filesystem::path& netns,
                                        const std::string& interface) {
    auto found = read_interface(netns, interface);
    if (!found)
        found.error().what =
            "interface " + interface + " of " + netns.string() + ": " + found.error().what;
    return found;
}

} // namespace weir
