// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <system_error>

#include "agent/kube/syntax.h"

namespace weir {
namespace {

using namespace std::string_view_literals;

constexpr std::array kNulls = {""sv, "~"sv, "null"sv, "Null"sv, "NULL"sv};
constexpr std::array kTrue = {"y"sv,    "Y"sv,    "yes"sv, "Yes"sv, "YES"sv, "true"sv,
                              "True"sv, "TRUE"sv, "on"sv,  "On"sv,  "ON"sv};
constexpr std::array kFalse = {"n"sv,     "N"sv,     "no"sv,  "No"sv,  "NO"sv, "false"sv,
                               "False"sv, "FALSE"sv, "off"sv, "Off"sv, "OFF"sv};
constexpr std::array kSpecialFloats = {".nan"sv,  ".NaN"sv,  ".NAN"sv,  ".inf"sv,
                                       ".Inf"sv,  ".INF"sv,  "+.inf"sv, "+.Inf"sv,
                                       "+.INF"sv, "-.inf"sv, "-.Inf"sv, "-.INF"sv};

bool is_one_of(std::string_view text, const auto& words) {
    return std::ranges::find(words, text) != words.end();
}

std::string without_underscores(std::string_view text) {
    std::string plain;
    std::ranges::copy_if(text, std::back_inserter(plain), [](char c) { return c != '_'; });
    return plain;
}

struct Magnitude {
    std::string_view digits;
    int base = 10;
};

// 0x, 0o, 0b and a leading 0 choose the base.
Magnitude magnitude_of(std::string_view unsigned_text) {
    if (unsigned_text.size() < 2 || unsigned_text[0] != '0') return {unsigned_text, 10};
    switch (unsigned_text[1]) {
        case 'x':
        case 'X':
            return {unsigned_text.substr(2), 16};
        case 'o':
        case 'O':
            return {unsigned_text.substr(2), 8};
        case 'b':
        case 'B':
            return {unsigned_text.substr(2), 2};
        default:
            return {unsigned_text.substr(1), 8};
    }
}

enum class Parse { kNo, kTooLarge, kYes };

Parse parse_integer(std::string_view plain, std::int64_t& out) {
    const bool is_negative = plain.starts_with('-');
    if (is_negative || plain.starts_with('+')) plain.remove_prefix(1);
    const auto [digits, base] = magnitude_of(plain);
    std::uint64_t magnitude = 0;
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, magnitude, base);
    if (digits.empty() || stop != end || error == std::errc::invalid_argument) return Parse::kNo;
    if (error != std::errc{} || magnitude > std::uint64_t{1} << 62) return Parse::kTooLarge;
    out = static_cast<std::int64_t>(magnitude) * (is_negative ? -1 : 1);
    return Parse::kYes;
}

std::size_t skip_digits(std::string_view text, std::size_t at) {
    while (at < text.size() && is_digit(text[at]))
        ++at;
    return at;
}

// [-+]? (.digits | digits[.digits]) ([eE][-+]?digits)?
bool is_float(std::string_view text) {
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    const std::size_t whole = skip_digits(text, 0);
    std::size_t at = whole;
    if (at < text.size() && text[at] == '.') {
        at = skip_digits(text, at + 1);
        if (at == whole + 1 && whole == 0) return false;
    } else if (whole == 0) {
        return false;
    }
    if (at == text.size()) return true;
    if (text[at] != 'e' && text[at] != 'E') return false;
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    return at < text.size() && skip_digits(text, at) == text.size();
}

Value::Kind resolve_number(std::string_view text) {
    const std::string plain = without_underscores(text);
    std::int64_t ignored = 0;
    if (text[0] != '.' && parse_integer(plain, ignored) != Parse::kNo) return Value::Kind::kInteger;
    return is_float(plain) ? Value::Kind::kFloat : Value::Kind::kString;
}

} // namespace

const Value* Value::find(std::string_view name) const {
    const Value* found = nullptr;
    if (kind != Kind::kMapping) return found;
    for (const Value* member = first; member != nullptr; member = member->next) {
        if (member->key == name) found = member;
    }
    return found;
}

std::string_view describe(Value::Kind kind) {
    switch (kind) {
        case Value::Kind::kNull:
            return "null";
        case Value::Kind::kBoolean:
            return "a boolean";
        case Value::Kind::kInteger:
        case Value::Kind::kFloat:
            return "a number";
        case Value::Kind::kString:
            return "a string";
        case Value::Kind::kSequence:
            return "a list";
        case Value::Kind::kMapping:
            return "a mapping";
    }
    return "unknown";
}

Value::Kind resolve_plain_scalar(std::string_view text) {
    if (text.empty()) return Value::Kind::kNull;
    // Most scalars are words: the first character rules out everything else.
    if ("+-.0123456789"sv.find(text[0]) != std::string_view::npos) {
        return is_one_of(text, kSpecialFloats) ? Value::Kind::kFloat : resolve_number(text);
    }
    if (text.size() > 5 || "yYnNtTfFoO~"sv.find(text[0]) == std::string_view::npos) {
        return Value::Kind::kString;
    }
    if (is_one_of(text, kNulls)) return Value::Kind::kNull;
    if (is_one_of(text, kTrue) || is_one_of(text, kFalse)) return Value::Kind::kBoolean;
    return Value::Kind::kString;
}

std::optional<bool> to_boolean(const Value& value) {
    if (value.kind != Value::Kind::kBoolean) return std::nullopt;
    return is_one_of(value.text, kTrue);
}

std::optional<std::int64_t> to_integer(const Value& value) {
    const std::string plain = without_underscores(value.text);
    if (value.kind == Value::Kind::kInteger) {
        std::int64_t integer = 0;
        if (parse_integer(plain, integer) == Parse::kYes) return integer;
        return std::nullopt;
    }
    if (value.kind != Value::Kind::kFloat || !is_float(plain)) return std::nullopt;
    const char* start = plain.data() + (plain.starts_with('+') ? 1 : 0);
    double number = 0;
    const auto [stop, error] = std::from_chars(start, plain.data() + plain.size(), number);
    if (error != std::errc{} || std::trunc(number) != number || std::abs(number) > 1e15) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(number);
}

} // namespace weir
