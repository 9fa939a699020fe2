// SPDX-License-Identifier: Apache-2.0
// What an interface inside a pod's network namespace looks like, and the host side of its veth.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "agent/endpoint/netlink.h"
#include "loader/result.h"
#include "policy/address.h"

namespace weir {

struct PodInterface {
    std::uint32_t host_ifindex = 0; // in this process's netns
    std::string host_name;
    Mac host_mac{};
    std::uint32_t ifindex = 0; // inside the pod
    Mac mac{};                 // of the pod's side
    // Link-local ones last; among them always the one that EUI-64 makes of the MAC.
    std::vector<Address> addresses;
};

// Reads the interface by netlink. Fails if the namespace, the interface or its host side is not
// there, or if it is no veth. netns: a path such as /run/netns/pod or /proc/1/ns/net.
Result<PodInterface> read_pod_interface(const std::filesystem::path& netns,
                                        const std::string& interface);

} // namespace weir
