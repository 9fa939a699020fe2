// SPDX-License-Identifier: Apache-2.0
// A node of a parsed manifest: a scalar, list or mapping that knows where it was written. Plain and
// trivially destructible, because a document allocates all of its nodes from one arena.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir {

struct Value {
    enum class Kind : std::uint8_t {
        kNull,
        kBoolean,
        kInteger,
        kFloat,
        kString,
        kSequence,
        kMapping
    };

    Kind kind = Kind::kNull;
    bool has_duplicates = false; // here or below, a key stands twice
    std::uint32_t line = 0;      // from 1, in the file
    std::uint32_t column = 0;    // from 1
    std::uint32_t key_line = 0;  // of the key, for the members of a mapping
    std::uint32_t key_column = 0;
    std::uint32_t weight = 1;            // nodes in this subtree, with aliases expanded
    std::string_view key;                // for the members of a mapping
    std::string_view text;               // scalars, as written without the quotes
    const Value* first = nullptr;        // first item or member
    const Value* next = nullptr;         // sibling
    const Value* duplicate_of = nullptr; // earlier member with the same key

    // Whether it is an unquoted y or n, which only some YAML 1.1 decoders take for a boolean.
    bool is_letter_boolean() const { return kind == Kind::kBoolean && text.size() == 1; }

    // The member of this name; null when there is none or this is no mapping. Of duplicates the
    // last, as the API's YAML decoder has it.
    const Value* find(std::string_view name) const;
};

// "a boolean", "a list": for messages.
std::string_view describe(Value::Kind kind);

// The type that an unquoted scalar has for the API's YAML decoder (YAML 1.1, so that no and off are
// booleans; dates stay strings). y and n alone are booleans too, which few people know: whoever
// wants a string may take them as one.
Value::Kind resolve_plain_scalar(std::string_view text);

// The value of a scalar of kind kBoolean, kInteger, kFloat; nothing when it is none or too large. A
// float without a fraction is an integer, as it is in JSON.
std::optional<bool> to_boolean(const Value& value);
std::optional<std::int64_t> to_integer(const Value& value);

} // namespace weir
