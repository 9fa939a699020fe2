// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/field.h"

#include <algorithm>

#include "agent/kube/syntax.h"
#include "agent/kube/unknown_field.h"

namespace weir {
namespace {

constexpr std::size_t kLongestName = 317; // a label's key: its prefix, '/' and its name

} // namespace

Field Field::operator[](std::string_view name) const {
    const Value* member = value_ == nullptr ? nullptr : value_->find(name);
    return member == nullptr ? Field(*this, name) : Field(*this, *member, name);
}

std::string Field::path() const {
    if (parent_ == nullptr) return {};
    std::string path = parent_->path();
    if (name_.empty()) return path + "[" + std::to_string(index_) + "]";
    // As kubectl writes it: keys that are no identifiers stand in brackets.
    const std::string name = printable(name_, kLongestName);
    if (name_.find_first_of("./") != std::string_view::npos) return path + "[" + name + "]";
    if (!path.empty()) path += '.';
    return path + name;
}

std::optional<std::string_view> Field::string() const {
    if (is_missing()) return std::nullopt;
    if (value_->kind == Value::Kind::kString) return value_->text;
    if (value_->is_letter_boolean()) {
        warning(quote(value_->text) + " without quotes is a boolean for kubectl",
                "quote it: \"" + std::string(value_->text) + "\"");
        return value_->text;
    }
    const bool is_scalar = value_->kind < Value::Kind::kSequence;
    wrong_type("a string", is_scalar ? "quote it: \"" + std::string(value_->text) + "\"" : "");
    return std::nullopt;
}

std::optional<std::int64_t> Field::integer() const {
    if (is_missing()) return std::nullopt;
    if (const auto integer = to_integer(*value_)) return integer;
    if (is_number()) {
        error(quote(value_->text) + " is not a whole number in range");
    } else {
        wrong_type("a number",
                   value_->kind == Value::Kind::kString ? "write it without quotes" : "");
    }
    return std::nullopt;
}

std::optional<bool> Field::boolean() const {
    if (is_missing()) return std::nullopt;
    if (const auto boolean = to_boolean(*value_)) return boolean;
    wrong_type("true or false", "");
    return std::nullopt;
}

bool Field::is_mapping() const {
    if (is_missing()) return false;
    if (value_->kind == Value::Kind::kMapping) return true;
    wrong_type("a mapping", "");
    return false;
}

bool Field::is_list() const {
    if (is_missing()) return false;
    if (value_->kind == Value::Kind::kSequence) return true;
    wrong_type("a list", "write each item on a line of its own that begins with '-'");
    return false;
}

bool Field::is_number() const {
    return value_ != nullptr &&
           (value_->kind == Value::Kind::kInteger || value_->kind == Value::Kind::kFloat);
}

bool Field::is_string() const {
    return value_ != nullptr && value_->kind == Value::Kind::kString;
}

std::size_t Field::size() const {
    if (value_ == nullptr || value_->kind < Value::Kind::kSequence) return 0;
    std::size_t size = 0;
    for (const Value* child = value_->first; child != nullptr; child = child->next)
        ++size;
    return size;
}

std::optional<std::string_view> Field::only_one_of(
    std::initializer_list<std::string_view> names) const {
    std::optional<std::string_view> first;
    for (const std::string_view name : names) {
        if ((*this)[name].is_missing()) continue;
        if (first) {
            error(std::string(*first) + " and " + std::string(name) + " exclude each other",
                  "make them two entries of the list, each with a '-' of its own");
            break;
        }
        first = name;
    }
    return first;
}

void Field::allow_only(std::initializer_list<std::string_view> names) const {
    if (value_ == nullptr || value_->kind != Value::Kind::kMapping) return;
    for (const Value* member = value_->first; member != nullptr; member = member->next) {
        if (std::ranges::find(names, member->key) != names.end()) continue;
        std::string known;
        for (const std::string_view name : names) {
            known += (known.empty() ? "" : ", ") + std::string(name);
        }
        Value at = *member;
        at.line = member->key_line;
        at.column = member->key_column;
        Field(*this, at, member->key)
            .warning(std::string(kUnknownField), "known fields are " + known);
    }
}

void Field::refuse_duplicates() const {
    if (value_ == nullptr || !value_->has_duplicates || report_.count > Report::kMaxProblems)
        return;
    std::uint32_t index = 0;
    for (const Value* child = value_->first; child != nullptr; child = child->next, ++index) {
        const Field field = value_->kind == Value::Kind::kSequence
                                ? Field(*this, *child, index)
                                : Field(*this, *child, child->key);
        if (child->duplicate_of != nullptr) {
            Value at = *child;
            at.line = child->key_line;
            at.column = child->key_column;
            Field(*this, at, child->key)
                .error(
                    "stands twice, first in line " + std::to_string(child->duplicate_of->key_line),
                    "remove one of the two");
        }
        field.refuse_duplicates();
    }
}

void Field::error(std::string what, std::string remedy) const {
    add(Severity::kError, std::move(what), std::move(remedy));
}

void Field::warning(std::string what, std::string remedy) const {
    add(Severity::kWarning, std::move(what), std::move(remedy));
}

void Field::add(Severity severity, std::string what, std::string remedy) const {
    report_.has_errors |= severity == Severity::kError;
    if (++report_.count > Report::kMaxProblems) return;
    report_.problems.push_back({severity, report_.file, at_.line, at_.column, report_.object,
                                path(), std::move(what), std::move(remedy)});
}

void Field::wrong_type(std::string_view wanted, std::string remedy) const {
    error("must be " + std::string(wanted) + ", is " + std::string(describe(value_->kind)),
          std::move(remedy));
}

} // namespace weir
