// SPDX-License-Identifier: Apache-2.0
// Tables for people: left-aligned columns, two spaces between them, widths measured in terminal
// cells so that names in any script line up.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

enum class Colour { kNone, kGood, kBad, kWarning, kFaint };

struct Cell {
    std::string text;
    Colour colour = Colour::kNone;

    Cell(std::string value) : text(std::move(value)) {} // NOLINT(google-explicit-constructor)
    Cell(const char* value) : text(value) {}            // NOLINT(google-explicit-constructor)
    Cell(std::string value, Colour tint) : text(std::move(value)), colour(tint) {}
};

// Cells of the terminal that UTF-8 text takes. Control characters take none; invalid bytes one
// each.
std::size_t display_width(std::string_view text);

class Table {
public:
    explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}

    void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
    bool is_empty() const { return rows_.empty(); }
    void print(std::ostream& out, bool with_colour) const;

private:
    std::vector<std::size_t> widths() const;

    std::vector<std::string> header_; // empty: no header line
    std::vector<std::vector<Cell>> rows_;
};

// The text wrapped in the colour's escape sequence, or as it is.
std::string tinted(const Cell& cell, bool with_colour);

} // namespace weir::cli
