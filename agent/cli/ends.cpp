// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/ends.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <vector>

#include "policy/model.h"

namespace weir::cli {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || port == 0) return {};
    return port;
}

bool is_word(std::string_view text) {
    return !text.empty() &&
           std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c); }) &&
           std::isalpha(static_cast<unsigned char>(text.front())) != 0;
}

// Splits "END:REST" at the colon that ends the END.
std::optional<std::pair<std::string_view, std::string_view>> split(std::string_view text) {
    if (text.starts_with('[')) {
        const auto bracket = text.find("]:");
        if (bracket == std::string_view::npos) return {};
        return std::pair{text.substr(1, bracket - 1), text.substr(bracket + 2)};
    }
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return {};
    // A second colon belongs to an IPv6 address, and those need brackets to be unambiguous.
    if (text.substr(0, colon).find(':') != std::string_view::npos) return {};
    return std::pair{text.substr(0, colon), text.substr(colon + 1)};
}

// The kind in its own spelling; nothing when it is none that policy is about.
std::optional<std::string> parse_kind(std::string_view text) {
    for (const Kind kind : kKinds) {
        if (is_service_kind(kind)) continue;
        const std::string_view name = to_string(kind);
        const bool is_same = std::ranges::equal(name, text, [](unsigned char a, unsigned char b) {
            return std::tolower(a) == std::tolower(b);
        });
        if (is_same) return std::string(name);
    }
    return {};
}

} // namespace

std::optional<Destination> parse_destination(std::string_view text) {
    const auto parts = split(text);
    if (!parts || parts->first.empty()) return {};
    Destination destination;
    destination.end = parts->first;
    std::string_view rest = parts->second;
    if (is_word(rest)) {
        destination.protocol = rest;
        return destination;
    }
    if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
        destination.protocol = rest.substr(slash + 1);
        if (!is_word(destination.protocol)) return {};
        rest = rest.substr(0, slash);
    }
    const auto port = parse_port(rest);
    if (!port) return {};
    destination.port = *port;
    return destination;
}

std::optional<PodName> parse_pod_name(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == 0 || slash == std::string_view::npos || slash + 1 == text.size()) return {};
    if (text.find('/', slash + 1) != std::string_view::npos) return {};
    return PodName{std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))};
}

std::optional<ObjectText> parse_object(std::string_view text) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at <= text.size();) {
        const auto slash = std::min(text.find('/', at), text.size());
        parts.emplace_back(text.substr(at, slash - at));
        at = slash + 1;
    }
    if (parts.size() > 3 || std::ranges::any_of(parts, &std::string::empty)) return {};
    ObjectText object;
    object.name = parts.back();
    if (parts.size() == 1) return object;
    const auto kind = parse_kind(parts.front());
    if (kind) object.kind = *kind;
    if (parts.size() == 3 && !kind) return {};
    if (parts.size() == 3 || !kind) object.ns = parts[parts.size() - 2];
    return object;
}

} // namespace weir::cli
