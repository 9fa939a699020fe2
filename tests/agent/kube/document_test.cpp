// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/document.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

Document parse(std::string_view text) {
    auto document = Document::parse({text, 1});
    EXPECT_TRUE(document.has_value()) << (document ? "" : document.error().what);
    if (!document) document = Document::parse({"", 1});
    return std::move(*document);
}

SyntaxError syntax_error(std::string_view text) {
    const auto document = Document::parse({text, 1});
    return document ? SyntaxError{} : document.error();
}

TEST(Document, PlainScalarsHaveTheTypesOfTheApiDecoder) {
    for (const auto* text : {"yes", "No", "on", "OFF", "true", "False", "y", "N"}) {
        EXPECT_EQ(resolve_plain_scalar(text), Value::Kind::kBoolean) << text;
    }
    for (const auto* text : {"1", "-1", "+1", "0x1f", "0o17", "017", "0b11", "1_000"}) {
        EXPECT_EQ(resolve_plain_scalar(text), Value::Kind::kInteger) << text;
    }
    for (const auto* text : {"1.5", ".5", "1e3", "08", "-.inf", ".nan", "1."}) {
        EXPECT_EQ(resolve_plain_scalar(text), Value::Kind::kFloat) << text;
    }
    for (const auto* text : {"", "~", "null", "Null", "NULL"}) {
        EXPECT_EQ(resolve_plain_scalar(text), Value::Kind::kNull) << text;
    }
    for (const auto* text : {"nULL", "tRUE", "1.2.3.4", "10.0.0.0/8", "2024-01-01", "-", ".", "0x",
                             "1e", "+", "yess", "fd00::1", "0b12"}) {
        EXPECT_EQ(resolve_plain_scalar(text), Value::Kind::kString) << text;
    }
}

TEST(Document, NumbersHaveTheirValue) {
    const Document document = parse("[80, 0x50, 0120, 0o120, 0b1010000, 80.0, 8e1, 1_0, -5]");
    const std::vector<std::int64_t> expected = {80, 80, 80, 80, 80, 80, 80, 10, -5};
    std::size_t index = 0;
    for (const Value* item = document.root().first; item != nullptr; item = item->next) {
        EXPECT_EQ(to_integer(*item), expected.at(index++)) << item->text;
    }
    EXPECT_EQ(index, expected.size());
    EXPECT_FALSE(to_integer(*parse("[99999999999999999999]").root().first));
    EXPECT_FALSE(to_integer(*parse("[1.5]").root().first));
}

TEST(Document, QuotedAndTaggedScalarsAreWhatTheySay) {
    const Document document = parse("{a: 'yes', b: \"1\", c: !!str 5, d: !!int '7', e: !mine 5}");
    EXPECT_EQ(document.root().find("a")->kind, Value::Kind::kString);
    EXPECT_EQ(document.root().find("b")->kind, Value::Kind::kString);
    EXPECT_EQ(document.root().find("c")->kind, Value::Kind::kString);
    EXPECT_EQ(to_integer(*document.root().find("d")), 7);
    EXPECT_EQ(document.root().find("e")->kind, Value::Kind::kString);
}

TEST(Document, ValuesKnowWhereTheyAre) {
    const Document document = parse("a: 1\nb:\n  - x\n  -   y\n");
    const Value* list = document.root().find("b");
    EXPECT_EQ(list->key_line, 2U);
    EXPECT_EQ(list->first->line, 3U);
    EXPECT_EQ(list->first->next->line, 4U);
    EXPECT_EQ(list->first->next->column, 7U);
}

TEST(Document, JsonKeepsItsLines) {
    const Document document = parse("{\n\t\"a\":{\"b\":[1,\n\"\\u00e4\\/\"]},\n  \"c\" : true}");
    const Value* list = document.root().find("a")->find("b");
    EXPECT_EQ(list->first->next->text, "\u00e4/");
    EXPECT_EQ(list->first->next->line, 3U);
    EXPECT_EQ(document.root().find("c")->kind, Value::Kind::kBoolean);
}

TEST(Document, KeysBecomeStrings) {
    const Document document = parse("{1: a, yes: b, 0x10: c, y: d}");
    for (const auto* key : {"1", "true", "16", "y"}) {
        EXPECT_NE(document.root().find(key), nullptr) << key;
    }
}

TEST(Document, AliasesAndMergeKeys) {
    const Document document = parse(
        "base: &base {a: 1, b: 2}\nother: &other {b: 3, c: 4}\n"
        "one: {<<: *base, b: 9}\ntwo: {<<: [*base, *other], d: 5}\nthree: *base\n"
        "four: {'<<': x}\n");
    const Value& root = document.root();
    EXPECT_EQ(root.find("one")->find("a")->text, "1");
    EXPECT_EQ(root.find("one")->find("b")->text, "9"); // written out wins
    EXPECT_EQ(root.find("two")->find("b")->text, "2"); // the earlier one wins
    EXPECT_EQ(root.find("two")->find("c")->text, "4");
    EXPECT_EQ(root.find("three")->find("b")->text, "2");
    EXPECT_EQ(root.find("four")->find("<<")->text, "x");
    EXPECT_EQ(root.find("base")->find("b")->text, "2");
    EXPECT_FALSE(root.has_duplicates);
}

TEST(Document, BillionLaughsAreRefused) {
    std::string text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int level = 1; level < 12; ++level) {
        const std::string below = "*a" + std::to_string(level - 1);
        const std::string name = "a" + std::to_string(level);
        text += name + ": &" + name + " [" + below;
        for (int i = 0; i < 9; ++i)
            text += ", " + below;
        text += "]\n";
    }
    EXPECT_NE(syntax_error(text).what.find("aliases expand"), std::string::npos);
}

TEST(Document, DepthAndOtherNonsenseIsRefusedWithItsPlace) {
    EXPECT_NE(syntax_error(std::string(5000, '[')).what.find("nested deeper"), std::string::npos);
    EXPECT_NE(syntax_error("a: &a [*a]").what.find("contains itself"), std::string::npos);
    EXPECT_NE(syntax_error("a: *b").what.find("unknown anchor"), std::string::npos);
    EXPECT_NE(syntax_error("{<<: 5}").what.find("merge key"), std::string::npos);
    EXPECT_NE(syntax_error("{[a]: 5}").what.find("key"), std::string::npos);
    const SyntaxError error = syntax_error("a: 1\nb: [1, 2\nc: 3\n");
    EXPECT_EQ(error.line, 3U);
    EXPECT_FALSE(error.what.empty());
    EXPECT_FALSE(syntax_error("a: \x01").what.empty());
    EXPECT_FALSE(syntax_error("a: \xff\xfe").what.empty());
}

TEST(Document, DuplicateKeysAreMarked) {
    const Document document = parse("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n");
    EXPECT_TRUE(document.root().has_duplicates);
    const Value* last = document.root().find("b")->find("c");
    ASSERT_NE(last->duplicate_of, nullptr);
    EXPECT_EQ(last->duplicate_of->key_line, 3U);
    EXPECT_EQ(last->key_line, 5U);
}

TEST(SplitDocuments, AtMarkersOnly) {
    const auto parts = split_documents("# c\n---\na: 1\n--- # x\nb: '--- no'\n---\n---\nc: 1\n");
    ASSERT_EQ(parts.size(), 3U);
    EXPECT_EQ(parse(parts[0].text).root().find("a")->text, "1");
    EXPECT_EQ(parts[1].first_line, 4U);
    EXPECT_EQ(parts[2].first_line, 7U);
    EXPECT_TRUE(split_documents("# only\n---\n\n---\n").empty());
    EXPECT_TRUE(split_documents("").empty());
    EXPECT_EQ(split_documents("%YAML 1.1\n---\na: 1\n").size(), 1U);
    EXPECT_EQ(split_documents("\xef\xbb\xbf{}").size(), 1U);
}

TEST(SplitDocuments, JsonObjectsInARow) {
    const auto parts = split_documents("{\"a\":\"}\\\"{\"}\n{\"b\":2}{\"c\":[{}]}\n");
    ASSERT_EQ(parts.size(), 3U);
    EXPECT_EQ(parse(parts[1].text).root().find("b")->text, "2");
    EXPECT_EQ(parts[0].first_line, 1U);
}

TEST(Document, WhatIsMissingAtTheEndIsMissingInTheLastLine) {
    for (const auto& [text, line] :
         {std::pair{"{", 5U}, std::pair{"{\n", 5U}, std::pair{"a: b\r\nc: [", 6U},
          std::pair{"a: b\nc: [\n", 6U}}) {
        const auto document = Document::parse({text, 5});
        ASSERT_FALSE(document) << text;
        EXPECT_EQ(document.error().line, line) << text;
    }
}

} // namespace
} // namespace weir
