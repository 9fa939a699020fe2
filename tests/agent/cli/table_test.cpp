// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace weir::cli {
namespace {

std::string printed(const Table& table, bool with_colour = false) {
    std::ostringstream out;
    table.print(out, with_colour);
    return out.str();
}

TEST(DisplayWidth, CountsTerminalCells) {
    EXPECT_EQ(display_width(""), 0u);
    EXPECT_EQ(display_width("web"), 3u);
    EXPECT_EQ(display_width("größe"), 5u);
    EXPECT_EQ(display_width("日本"), 4u);      // two cells each
    EXPECT_EQ(display_width("e\xcc\x81"), 1u); // combining accent
    EXPECT_EQ(display_width("a\xff\xfe"
                            "b"),
              4u); // invalid bytes: one each
    EXPECT_EQ(display_width(std::string("a\0b", 3)), 3u);
}

TEST(Table, AlignsColumnsWithoutTrailingBlanks) {
    Table table({"POD", "VERDICT"});
    table.add({"größe", "allow"});
    table.add({"a-longer-name", "deny"});
    EXPECT_EQ(printed(table),
              "POD            VERDICT\n"
              "größe          allow\n"
              "a-longer-name  deny\n");
}

TEST(Table, RowsMayBeShorterAndLongerThanTheHeader) {
    Table table({"A"});
    table.add({"1", "2", "3"});
    table.add({"4"});
    EXPECT_EQ(printed(table), "A\n1  2  3\n4\n");
}

TEST(Table, ColoursOnlyWhenAsked) {
    Table table({});
    table.add({Cell("deny", Colour::kBad), "x"});
    EXPECT_EQ(printed(table, false), "deny  x\n");
    EXPECT_EQ(printed(table, true), "\x1b[31mdeny\x1b[0m  x\n");
}

} // namespace
} // namespace weir::cli
