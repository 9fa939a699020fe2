// SPDX-License-Identifier: Apache-2.0
// How the ends of a connection are written on the command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::cli {

struct Destination {
    std::string end; // NAMESPACE/POD, node/NAME or an address, without brackets
    std::uint16_t port = 0;
    std::string protocol = "TCP";
};

// "END:PORT[/PROTOCOL]", "[IPv6]:PORT[/PROTOCOL]", or "END:PROTOCOL" for one without ports, as in
// "shop/web:ICMP". Nothing when it is none of these.
std::optional<Destination> parse_destination(std::string_view text);

struct PodName {
    std::string ns;
    std::string name;
};
// "NAMESPACE/NAME", both parts given.
std::optional<PodName> parse_pod_name(std::string_view text);

struct ObjectText {
    std::string kind; // as in manifests, whatever case was written; empty when none was
    std::string ns;
    std::string name;
};
// "[KIND/][NAMESPACE/]NAME". Nothing when it is none of these. A first word of two that is a kind
// is taken for one.
std::optional<ObjectText> parse_object(std::string_view text);

} // namespace weir::cli
