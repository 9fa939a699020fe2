// SPDX-License-Identifier: Apache-2.0
#include "agent/config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <climits>

namespace weir {

MeshNames mesh_names(const Config& config) {
    return {Symbol(config.root_namespace), Symbol(config.trust_domain)};
}

std::string default_node_name() {
    std::array<char, HOST_NAME_MAX + 1> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
    std::string text = name.data();
    // Node names are lower case (RFC 1123), host names need not be.
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

} // namespace weir
