// SPDX-License-Identifier: Apache-2.0
// What an interface inside a pod's network namespace looks like, and the host side of its veth.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "loader/result.h"
#include "policy/address.h"

namespace weir {

using Mac = std::array<std::uint8_t, 6>;

struct PodInterface {
    std::uint32_t host_ifindex = 0; // in this process's netns
    std::string host_name;
    Mac host_mac{};
    std::uint32_t ifindex = 0; // inside the pod
    Mac mac{};                 // of the pod's side
    // In the interface's order; with its link-local addresses and the one that EUI-64 makes of the
    // MAC, without loopback and multicast.
    std::vector<Address> addresses;
};

// Reads the interface by netlink. Fails if the namespace, the interface or the host side is not
// there, or if the interface is no veth. netns: a path such as /run/netns/pod or /proc/1/ns/net.
Result<PodInterface> read_pod_interface(const std::filesystem::path& netns,
                                        const std::string& interface);

// An interface of this process's netns.
struct HostInterface {
    std::uint32_t ifindex = 0;
    std::string name;
    Mac mac{};
    std::uint32_t peer_ifindex = 0; // of the veth's other side, in its netns
    bool is_veth = false;
};
Result<std::vector<HostInterface>> list_host_interfaces();

} // namespace weir
