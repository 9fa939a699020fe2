// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/table.h"

#include <algorithm>
#include <clocale>
#include <cwchar>
#include <ostream>

namespace weir::cli {
namespace {

const char* escape_of(Colour colour) {
    switch (colour) {
        case Colour::kGood:
            return "\x1b[32m";
        case Colour::kBad:
            return "\x1b[31m";
        case Colour::kWarning:
            return "\x1b[33m";
        case Colour::kFaint:
            return "\x1b[2m";
        case Colour::kNone:
            break;
    }
    return "";
}

// A locale object of its own: wcwidth and mbrtowc must know UTF-8 whatever the user's LANG says.
locale_t utf8() {
    static const locale_t kLocale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return kLocale;
}

void print_row(std::ostream& out, const std::vector<Cell>& row,
               const std::vector<std::size_t>& widths, bool with_colour) {
    for (std::size_t i = 0; i < row.size(); ++i) {
        out << tinted(row[i], with_colour);
        if (i + 1 == row.size()) break; // no trailing blanks
        out << std::string(widths[i] - display_width(row[i].text) + 2, ' ');
    }
    out << '\n';
}

} // namespace

std::size_t display_width(std::string_view text) {
    const locale_t previous = uselocale(utf8());
    std::size_t width = 0;
    std::mbstate_t state{};
    while (!text.empty()) {
        wchar_t character = 0;
        const std::size_t used = std::mbrtowc(&character, text.data(), text.size(), &state);
        const bool is_invalid = used == 0 || used > text.size();
        if (is_invalid) {
            state = {};
            width += 1;
            text.remove_prefix(1);
            continue;
        }
        width += static_cast<std::size_t>(std::max(0, wcwidth(character)));
        text.remove_prefix(used);
    }
    uselocale(previous);
    return width;
}

std::string tinted(const Cell& cell, bool with_colour) {
    if (!with_colour || cell.colour == Colour::kNone || cell.text.empty()) return cell.text;
    return escape_of(cell.colour) + cell.text + "\x1b[0m";
}

std::vector<std::size_t> Table::widths() const {
    std::vector<std::size_t> widths;
    const auto grow = [&widths](std::size_t column, std::string_view text) {
        if (widths.size() <= column) widths.resize(column + 1);
        widths[column] = std::max(widths[column], display_width(text));
    };
    for (std::size_t i = 0; i < header_.size(); ++i)
        grow(i, header_[i]);
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i)
            grow(i, row[i].text);
    }
    return widths;
}

void Table::print(std::ostream& out, bool with_colour) const {
    const auto column_widths = widths();
    if (!header_.empty()) {
        std::vector<Cell> cells;
        for (const auto& title : header_)
            cells.emplace_back(title, Colour::kFaint);
        print_row(out, cells, column_widths, with_colour);
    }
    for (const auto& row : rows_)
        print_row(out, row, column_widths, with_colour);
}

} // namespace weir::cli
