// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/proxy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "policy/address.h"

namespace weir {
namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return result;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ')
        text.remove_suffix(1);
    return text;
}

bool is_loopback(const Url& server) {
    static const Cidr kV4 = *Cidr::parse("127.0.0.0/8");
    static const Cidr kV6 = *Cidr::parse("::1/128");
    const auto address = Address::parse(server.host);
    if (!address) return lower(server.host) == "localhost";
    return kV4.contains(*address) || kV6.contains(*address);
}

// "HOST", "HOST:PORT", "[IPV6]:PORT" or a bare IPv6 address.
std::pair<std::string_view, std::string_view> split_port(std::string_view entry) {
    if (entry.starts_with('[')) {
        const auto end = std::min(entry.find(']'), entry.size());
        const auto rest = entry.substr(std::min(end + 1, entry.size()));
        return {entry.substr(1, end - 1), rest.starts_with(':') ? rest.substr(1) : rest};
    }
    const auto colon = entry.find(':');
    if (colon == entry.npos || entry.find(':', colon + 1) != entry.npos) return {entry, {}};
    return {entry.substr(0, colon), entry.substr(colon + 1)};
}

// "foo.com" is for itself and what is below it, ".foo.com" and "*.foo.com" for what is below.
bool is_in_domain(const std::string& host, std::string_view domain) {
    if (domain.starts_with('*')) domain.remove_prefix(1);
    if (domain.starts_with('.')) return host.ends_with(domain);
    return host == domain || host.ends_with("." + std::string(domain));
}

bool is_excepted_by(std::string_view entry, const Url& server) {
    if (entry.empty()) return false;
    if (entry == "*") return true;
    const auto address = Address::parse(server.host);
    if (const auto block = Cidr::parse(entry); block && entry.find('/') != entry.npos) {
        return address && block->contains(*address);
    }
    const auto [host, port] = split_port(entry);
    if (!port.empty() && port != server.port) return false;
    if (const auto excepted = Address::parse(host)) return address == excepted;
    return !address && is_in_domain(lower(server.host), lower(host));
}

bool is_excepted(std::string_view list, const Url& server) {
    while (!list.empty()) {
        const auto end = std::min(list.find(','), list.size());
        if (is_excepted_by(trim(list.substr(0, end)), server)) return true;
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return false;
}

// Name and value of the first that is set.
std::pair<const char*, std::string> first_of(const Environment& environment, const char* upper,
                                             const char* lower_case) {
    if (std::string value = environment(upper); !value.empty()) return {upper, std::move(value)};
    return {lower_case, environment(lower_case)};
}

} // namespace

std::string process_environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

Result<std::optional<Url>> proxy_from_environment(const Url& server,
                                                  const Environment& environment) {
    const bool is_https = server.scheme == "https";
    const auto [name, value] = is_https ? first_of(environment, "HTTPS_PROXY", "https_proxy")
                                        : first_of(environment, "HTTP_PROXY", "http_proxy");
    if (value.empty() || is_loopback(server) ||
        is_excepted(first_of(environment, "NO_PROXY", "no_proxy").second, server)) {
        return std::nullopt;
    }
    auto proxy = parse_url(value.find("://") == value.npos ? "http://" + value : value);
    if (!proxy) return failure(fmt::format("{}: {}", name, proxy.error().what));
    if (proxy->scheme != "http") {
        return failure(
            fmt::format("{}: must begin with http://: no other proxies are spoken to; "
                        "except the API server with NO_PROXY={}",
                        name, server.host));
    }
    return std::move(*proxy);
}

} // namespace weir
