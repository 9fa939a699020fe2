// SPDX-License-Identifier: Apache-2.0
// Which source ports of the node are for forwarded connections: none that the kernel gives to a
// socket of the node's own.
#pragma once

#include <cstdint>
#include <string>

#include "loader/result.h"

namespace weir {

struct SourcePorts {
    std::uint16_t first = 0;
    std::uint16_t last = 0; // included

    bool operator==(const SourcePorts&) const = default;
};

// "61000-65535"; at least 256 ports, none below 1024.
Result<SourcePorts> parse_port_range(const std::string& text);

// wanted: "auto" or a range. local: what net.ipv4.ip_local_port_range says ("32768\t60999"),
// reserved: what net.ipv4.ip_local_reserved_ports says ("8080,9000-9010"). auto is what lies above
// the local range. A range that shares a port with the local one, unless it is reserved, is an
// error.
Result<SourcePorts> choose_source_ports(const std::string& wanted, const std::string& local,
                                        const std::string& reserved);

} // namespace weir
