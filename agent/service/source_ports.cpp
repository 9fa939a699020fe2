// SPDX-License-Identifier: Apache-2.0
#include "agent/service/source_ports.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <vector>

namespace weir {
namespace {

constexpr int kFewest = 256;
constexpr int kLowest = 1024;
constexpr int kHighest = 65535;

std::vector<SourcePorts> parse_reserved(const std::string& text) {
    std::vector<SourcePorts> ranges;
    std::istringstream input(text);
    for (std::string item; std::getline(input, item, ',');) {
        int first = 0;
        int last = 0;
        char dash = 0;
        std::istringstream numbers(item);
        if (!(numbers >> first)) continue;
        if (!(numbers >> dash >> last)) last = first;
        ranges.push_back({static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)});
    }
    return ranges;
}

bool is_reserved(const std::vector<SourcePorts>& ranges, int port) {
    return std::ranges::any_of(ranges, [port](const SourcePorts& range) {
        return range.first <= port && port <= range.last;
    });
}

} // namespace

Result<SourcePorts> parse_port_range(const std::string& text) {
    int first = 0;
    int last = 0;
    char dash = 0;
    std::istringstream input(text);
    if (!(input >> first >> dash >> last) || dash != '-' || !(input >> std::ws).eof())
        return failure("'" + text + "' is no range of ports: write FIRST-LAST, as 61000-65535");
    if (first < kLowest || last > kHighest || last - first + 1 < kFewest)
        return failure(fmt::format("'{}': between {} and {}, and {} ports at least", text, kLowest,
                                   kHighest, kFewest));
    return SourcePorts{static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)};
}

Result<SourcePorts> choose_source_ports(const std::string& wanted, const std::string& local,
                                        const std::string& reserved) {
    int local_first = 0;
    int local_last = 0;
    if (!(std::istringstream(local) >> local_first >> local_last))
        return failure("net.ipv4.ip_local_port_range says '" + local + "': no range of ports");
    if (wanted == "auto") {
        if (kHighest - local_last >= kFewest)
            return SourcePorts{static_cast<std::uint16_t>(local_last + 1), kHighest};
        return failure(
            fmt::format("net.ipv4.ip_local_port_range leaves no {} ports above its end, {}: lower "
                        "it, or name others with --snat-ports",
                        kFewest, local_last));
    }
    auto range = parse_port_range(wanted);
    if (!range) return range;
    const auto kept = parse_reserved(reserved);
    for (int port = std::max<int>(range->first, local_first);
         port <= std::min<int>(range->last, local_last); ++port) {
        if (!is_reserved(kept, port))
            return failure(
                fmt::format("--snat-ports {}: port {} is one that the node's own sockets get "
                            "(net.ipv4.ip_local_port_range): change that, or put the range into "
                            "net.ipv4.ip_local_reserved_ports",
                            wanted, port));
    }
    return range;
}

} // namespace weir
