// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace weir {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_port(std::string_view text) {
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, port);
    return error == std::errc() && rest == end && port != 0;
}

std::string percent_decode(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned char byte = 0;
        if (text[i] == '%' && i + 2 < text.size()) {
            const char* const first = text.data() + i + 1;
            const auto [rest, error] = std::from_chars(first, first + 2, byte, 16);
            if (error == std::errc() && rest == first + 2) {
                decoded += static_cast<char>(byte);
                i += 2;
                continue;
            }
        }
        decoded += text[i];
    }
    return decoded;
}

std::unexpected<Error> wrong(std::string_view text, std::string_view what) {
    return failure(fmt::format("'{}' {}; write it as https://HOST:PORT", text, what));
}

} // namespace

std::string Url::authority() const {
    const bool is_ipv6 = host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port);
}

Result<Url> parse_url(std::string_view text) {
    const std::size_t colon = text.find("://");
    if (colon == text.npos) return wrong(text, "has no scheme");
    Url url;
    url.scheme = text.substr(0, colon);
    std::ranges::transform(url.scheme, url.scheme.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    std::string_view rest = text.substr(colon + 3);
    if (rest.find_first_of("?#") != rest.npos) return wrong(text, "has a query or a fragment");
    if (const std::size_t slash = rest.find('/'); slash != rest.npos) {
        std::string_view path = rest.substr(slash);
        while (path.ends_with('/'))
            path.remove_suffix(1);
        url.path = path;
        rest = rest.substr(0, slash);
    }
    if (const std::size_t at = rest.rfind('@'); at != rest.npos) {
        url.user = percent_decode(rest.substr(0, at));
        rest.remove_prefix(at + 1);
    }
    std::string_view port;
    if (rest.starts_with('[')) {
        const std::size_t end = rest.find(']');
        if (end == rest.npos) return wrong(text, "has no ']' after the IPv6 address");
        url.host = rest.substr(1, end - 1);
        port = rest.substr(end + 1);
    } else {
        const std::size_t end = std::min(rest.find(':'), rest.size());
        url.host = rest.substr(0, end);
        port = rest.substr(end);
    }
    if (url.host.empty()) return wrong(text, "has no host");
    if (port.empty()) port = url.scheme == "http" ? ":80" : ":443";
    if (!port.starts_with(':') || !is_port(port.substr(1))) return wrong(text, "has no valid port");
    url.port = port.substr(1);
    return url;
}

std::string query_escape(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        if (is_letter(c) || is_digit(c) || std::string_view("-._~").find(c) != std::string::npos) {
            escaped += c;
        } else {
            escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return escaped;
}

} // namespace weir
