// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/uid.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace weir {

std::array<std::uint8_t, 16> parse_uid(std::string_view text) {
    std::string digits;
    for (const char c : text)
        if (c != '-') digits.push_back(c);
    std::array<std::uint8_t, 16> uid{};
    if (digits.size() != uid.size() * 2) return {};
    for (std::size_t i = 0; i < uid.size(); ++i) {
        const char* const first = digits.data() + i * 2;
        const auto [rest, error] = std::from_chars(first, first + 2, uid[i], 16);
        if (error != std::errc() || rest != first + 2) return {};
    }
    return uid;
}

std::string uid_text(const std::array<std::uint8_t, 16>& uid) {
    if (std::ranges::all_of(uid, [](std::uint8_t byte) { return byte == 0; })) return {};
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < uid.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += digits[uid[i] >> 4];
        text += digits[uid[i] & 0xf];
    }
    return text;
}

} // namespace weir
