// SPDX-License-Identifier: Apache-2.0
// The syntax of names, labels and ports that the API server enforces. Each function answers what is
// wrong with the text, or nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

using Complaint = std::optional<std::string>;

Complaint check_dns_label(std::string_view text);     // RFC 1123 label: namespaces
Complaint check_dns_subdomain(std::string_view text); // RFC 1123 subdomain: other names
Complaint check_label_key(std::string_view text);     // [prefix/]name
Complaint check_label_value(std::string_view text);
Complaint check_port_name(std::string_view text);   // IANA_SVC_NAME
Complaint check_domain_name(std::string_view text); // of policy.networking.k8s.io: "*.a.b" too

inline bool is_digit(char c) { // of ASCII, whatever the locale
    return c >= '0' && c <= '9';
}

// "TCP", "UDP" or "SCTP" to IPPROTO_*.
std::optional<std::uint8_t> parse_protocol(std::string_view text);

// Without control characters, and cut after so many bytes: a message is one line.
std::string printable(std::string_view text, std::size_t most);

// A text as a message shows it: quoted, cut when long, without control characters.
std::string quote(std::string_view text);

} // namespace weir
