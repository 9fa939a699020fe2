// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_duration.h"

#include <charconv>
#include <string_view>
#include <utility>

#include "agent/kube/syntax.h"

namespace weir {
namespace {

constexpr std::pair<std::string_view, double> kUnits[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};

// Takes "NUMBER UNIT" from the front; nothing when there is none.
std::optional<double> take_part(std::string_view& text) {
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || number < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    for (const auto& [unit, milliseconds] : kUnits) {
        if (!text.starts_with(unit)) continue;
        text.remove_prefix(unit.size());
        return number * milliseconds;
    }
    return std::nullopt;
}

} // namespace

std::optional<std::uint32_t> decode_duration(const Field& field) {
    const auto text = field.string();
    if (!text) return std::nullopt;
    double milliseconds = 0;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const auto part = take_part(rest);
        if (!part) {
            milliseconds = 0;
            break;
        }
        milliseconds += *part;
    }
    if (milliseconds >= 1 && milliseconds <= 4e9) return static_cast<std::uint32_t>(milliseconds);
    field.error(quote(*text) + " is no duration of at least 1ms", "write for example 30s or 1m30s");
    return std::nullopt;
}

} // namespace weir
