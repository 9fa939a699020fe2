// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/syntax.h"

#include <netinet/in.h>

#include <algorithm>

namespace weir {
namespace {

constexpr std::size_t kLabelLength = 63;
constexpr std::size_t kSubdomainLength = 253;
constexpr std::size_t kPortNameLength = 15;
constexpr std::size_t kQuotedLength = 80;

bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}
bool is_lower_alphanumeric(char c) {
    return is_lower(c) || is_digit(c);
}
bool is_alphanumeric(char c) {
    return is_lower_alphanumeric(c) || is_upper(c);
}

Complaint too_long(std::size_t limit) {
    return "is longer than " + std::to_string(limit) + " characters";
}

// [a-z0-9]([-a-z0-9]*[a-z0-9])?
bool is_dns_label(std::string_view text) {
    return !text.empty() && is_lower_alphanumeric(text.front()) &&
           is_lower_alphanumeric(text.back()) &&
           std::ranges::all_of(text, [](char c) { return is_lower_alphanumeric(c) || c == '-'; });
}

bool is_dns_subdomain(std::string_view text) {
    while (true) {
        const std::size_t dot = text.find('.');
        if (!is_dns_label(text.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        text.remove_prefix(dot + 1);
    }
}

// ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]
bool is_qualified_name(std::string_view text) {
    return !text.empty() && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
           std::ranges::all_of(
               text, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

// [a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?
bool is_domain_part(std::string_view text) {
    return !text.empty() && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
           std::ranges::all_of(text,
                               [](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; });
}

} // namespace

Complaint check_dns_label(std::string_view text) {
    if (text.size() > kLabelLength) return too_long(kLabelLength);
    if (is_dns_label(text)) return std::nullopt;
    return "must be lower-case letters, digits and '-', and begin and end with a letter or digit";
}

Complaint check_dns_subdomain(std::string_view text) {
    if (text.size() > kSubdomainLength) return too_long(kSubdomainLength);
    if (is_dns_subdomain(text)) return std::nullopt;
    return "must be lower-case letters, digits, '-' and '.', and each part begin and end with a "
           "letter or digit";
}

Complaint check_label_key(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash != std::string_view::npos) {
        const std::string_view prefix = text.substr(0, slash);
        text.remove_prefix(slash + 1);
        if (prefix.size() > kSubdomainLength || !is_dns_subdomain(prefix)) {
            return "needs a DNS subdomain (lower case) before the '/'";
        }
    }
    if (text.size() > kLabelLength) return too_long(kLabelLength);
    if (is_qualified_name(text)) return std::nullopt;
    return "must be letters, digits, '-', '_' and '.', and begin and end with a letter or digit";
}

Complaint check_label_value(std::string_view text) {
    if (text.size() > kLabelLength) return too_long(kLabelLength);
    if (text.empty() || is_qualified_name(text)) return std::nullopt;
    return "must be letters, digits, '-', '_' and '.', and begin and end with a letter or digit, "
           "or "
           "be empty";
}

Complaint check_port_name(std::string_view text) {
    if (text.size() > kPortNameLength) return too_long(kPortNameLength);
    if (!is_dns_label(text)) return check_dns_label(text);
    if (!std::ranges::any_of(text, is_lower)) return "must contain a letter";
    if (text.find("--") != std::string_view::npos) return "must not contain '--'";
    return std::nullopt;
}

Complaint check_domain_name(std::string_view text) {
    if (text.starts_with("*.")) text.remove_prefix(2);
    if (text.ends_with('.')) text.remove_suffix(1);
    std::size_t parts = 0;
    for (bool is_last = false; !is_last; ++parts) {
        const std::size_t dot = text.find('.');
        is_last = dot == text.npos;
        if (!is_domain_part(text.substr(0, dot))) return "is no domain name";
        text.remove_prefix(is_last ? text.size() : dot + 1);
    }
    return parts < 2 ? Complaint("needs at least two parts, such as example.org") : std::nullopt;
}

std::optional<std::uint8_t> parse_protocol(std::string_view text) {
    if (text == "TCP") return IPPROTO_TCP;
    if (text == "UDP") return IPPROTO_UDP;
    if (text == "SCTP") return IPPROTO_SCTP;
    return std::nullopt;
}

std::string printable(std::string_view text, std::size_t most) {
    std::string shown;
    for (const char c : text.substr(0, most)) {
        shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
    return text.size() > most ? shown + "..." : shown;
}

std::string quote(std::string_view text) {
    return "'" + printable(text, kQuotedLength) + "'";
}

} // namespace weir
