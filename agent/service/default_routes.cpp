// SPDX-License-Identifier: Apache-2.0
#include "agent/service/default_routes.h"

#include <fstream>
#include <sstream>
#include <vector>

namespace weir {
namespace {

std::vector<std::string> words_of(const std::string& line) {
    std::istringstream input(line);
    std::vector<std::string> words;
    for (std::string word; input >> word;)
        words.push_back(word);
    return words;
}

} // namespace

std::set<std::string> default_route_interfaces(std::istream& v4, std::istream& v6) {
    std::set<std::string> names;
    // Iface Destination Gateway Flags RefCnt Use Metric Mask ...
    for (std::string line; std::getline(v4, line);) {
        const auto words = words_of(line);
        if (words.size() > 7 && words[1] == "00000000" && words[7] == "00000000")
            names.insert(words[0]);
    }
    // Destination, its prefix length, source, its prefix length, next hop, ..., interface. An
    // unreachable default is the loopback's.
    const std::string any(32, '0');
    for (std::string line; std::getline(v6, line);) {
        const auto words = words_of(line);
        if (words.size() > 9 && words[0] == any && words[1] == "00" && words[9] != "lo")
            names.insert(words[9]);
    }
    return names;
}

std::set<std::string> default_route_interfaces() {
    std::ifstream v4("/proc/thread-self/net/route");
    std::ifstream v6("/proc/thread-self/net/ipv6_route");
    return default_route_interfaces(v4, v6);
}

} // namespace weir
