// SPDX-License-Identifier: Apache-2.0
// A cursor over a manifest that knows its path: decoders read through it, and every mismatch
// becomes a Problem with file, line and field. Decoding goes on after one, so that all are reported
// at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kube/problem.h"
#include "agent/kube/value.h"

namespace weir {

// Where the problems of one object go. After kMaxProblems of them no more are kept.
struct Report {
    std::string file;
    std::string object;
    std::vector<Problem>& problems;
    bool has_errors = false;
    std::size_t count = 0;

    static constexpr std::size_t kMaxProblems = 100;
};

// Refers to its parent: lives no longer than that, in a nest of function calls.
class Field {
public:
    // The root of an object.
    Field(Report& report, const Value& value) : report_(report), value_(&value), at_(value) {}

    // A member; missing when there is none, or when this is missing itself.
    Field operator[](std::string_view name) const;

    // Null counts as missing, as it does for the API server.
    bool is_missing() const { return value_ == nullptr || value_->kind == Value::Kind::kNull; }
    std::uint32_t line() const { return at_.line; }
    std::string path() const;

    // Reported when the type is another; nothing then, and when it is missing.
    std::optional<std::string_view> string() const;
    std::optional<std::int64_t> integer() const;
    std::optional<bool> boolean() const;
    // Whether the value is a mapping (a list) to go on with.
    bool is_mapping() const;
    bool is_list() const;
    bool is_number() const;
    bool is_string() const;

    // Items of a list or members of a mapping; 0 for everything else.
    std::size_t size() const;

    // The one of these members that is set, nothing when none is. Several are an error: then the
    // first of them.
    std::optional<std::string_view> only_one_of(
        std::initializer_list<std::string_view> names) const;

    // Warns of members that are none of these: the API server ignores them.
    void allow_only(std::initializer_list<std::string_view> names) const;

    // Calls visit(Field) for each item of a list, visit(name, Field) for each member of a mapping.
    template <typename Visit>
    void each_item(Visit visit) const {
        if (!is_list()) return;
        std::uint32_t index = 0;
        for (const Value* item = value_->first; item != nullptr; item = item->next) {
            visit(Field(*this, *item, index++));
        }
    }
    template <typename Visit>
    void each_member(Visit visit) const {
        if (!is_mapping()) return;
        for (const Value* member = value_->first; member != nullptr; member = member->next) {
            visit(member->key, Field(*this, *member, member->key));
        }
    }

    // Errors for keys that stand twice, here or below.
    void refuse_duplicates() const;

    void error(std::string what, std::string remedy = {}) const;
    void warning(std::string what, std::string remedy = {}) const;

private:
    Field(const Field& parent, const Value& value, std::uint32_t index)
        : report_(parent.report_), value_(&value), at_(value), parent_(&parent), index_(index) {}
    Field(const Field& parent, const Value& value, std::string_view name)
        : report_(parent.report_), value_(&value), at_(value), parent_(&parent), name_(name) {}
    Field(const Field& parent, std::string_view name)
        : report_(parent.report_),
          value_(nullptr),
          at_(parent.at_),
          parent_(&parent),
          name_(name) {}

    void add(Severity severity, std::string what, std::string remedy) const;
    void wrong_type(std::string_view wanted, std::string remedy) const;

    Report& report_;
    const Value* value_; // null when missing
    const Value& at_;    // the value, or the nearest one above
    const Field* parent_ = nullptr;
    std::string_view name_;
    std::uint32_t index_ = 0; // when it has no name
};

} // namespace weir
