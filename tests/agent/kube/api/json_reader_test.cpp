// SPDX-License-Identifier: Apache-2.0
// Lists and watches of any size, cut anywhere.
#include "agent/kube/api/json_reader.h"

#include <gmock/gmock.h>

#include <random>
#include <string>
#include <vector>

namespace weir {
namespace {

using testing::ElementsAre;

std::string text_of(const Value* value) {
    return value == nullptr ? "-" : std::string(value->text);
}

// What a reader hands out, as text: items by name and label, documents by type or version.
class Reading {
public:
    Result<> feed(std::string_view bytes) { return reader_.feed(bytes); }
    bool is_complete() const { return reader_.is_complete(); }

    std::vector<std::string> items;
    std::vector<std::string> documents;

private:
    void take_item(const Value& item) {
        const Value* metadata = item.find("metadata");
        const Value* labels = metadata->find("labels");
        items.push_back(text_of(metadata->find("name")) + " " +
                        text_of(labels == nullptr ? nullptr : labels->find("app")));
        EXPECT_EQ(metadata->find("managedFields"), nullptr);
    }
    void take_document(const Value& document) {
        const Value* metadata = document.find("metadata");
        documents.push_back(metadata != nullptr ? text_of(metadata->find("resourceVersion"))
                                                : text_of(document.find("type")));
    }

    JsonReader reader_{{.on_item = [this](const Value& item) { take_item(item); },
                        .on_document = [this](const Value& value) { take_document(value); }}};
};

const std::string kList =
    R"({"kind":"PodList","metadata":{"resourceVersion":"77","continue":"next"},"items":[
  {"metadata":{"name":"a","managedFields":[{"f:x":{"f:y":[1,2,{}]}}],"labels":{"app":"w\u00e9b"}}},
  {"metadata":{"managedFields":"odd","name":"b","labels":{"app":"\"q\\"}},"spec":{"n":[1,-2.5e3,true,null]}},
  {"metadata":{"name":"c"}}]} )";

TEST(JsonReader, TakesAListObjectByObject) {
    Reading reading;
    ASSERT_TRUE(reading.feed(kList));
    EXPECT_TRUE(reading.is_complete());
    EXPECT_THAT(reading.items, ElementsAre("a w\u00e9b", "b \"q\\", "c -"));
    EXPECT_THAT(reading.documents, ElementsAre("77"));
}

TEST(JsonReader, TakesFramesOneAfterAnother) {
    Reading reading;
    ASSERT_TRUE(reading.feed("{\"type\":\"ADDED\",\"object\":{}}\n{\"type\":\"DELETED\"}"));
    EXPECT_THAT(reading.documents, ElementsAre("ADDED", "DELETED"));
    ASSERT_TRUE(reading.feed("\n{\"type\":\"BOOK"));
    EXPECT_FALSE(reading.is_complete());
    ASSERT_TRUE(reading.feed("MARK\"}\n"));
    EXPECT_TRUE(reading.is_complete());
    EXPECT_THAT(reading.documents, ElementsAre("ADDED", "DELETED", "BOOKMARK"));
}

TEST(JsonReader, WhereThePiecesEndMakesNoDifference) {
    std::mt19937 random(42); // NOLINT: the same each time
    const std::string text = kList + "\n" + kList + kList;
    Reading whole;
    ASSERT_TRUE(whole.feed(text));
    for (int round = 0; round < 500; ++round) {
        Reading reading;
        std::uniform_int_distribution<std::size_t> length(1, round < 250 ? 3 : 200);
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t piece = length(random);
            ASSERT_TRUE(reading.feed(std::string_view(text).substr(at, piece)));
            at += piece;
        }
        EXPECT_TRUE(reading.is_complete());
        EXPECT_EQ(reading.items, whole.items);
        EXPECT_EQ(reading.documents, whole.documents);
    }
}

TEST(JsonReader, OnlyWhatIsNeverUsedIsPassedOver) {
    std::vector<std::string> seen;
    JsonReader reader({.on_item =
                           [&](const Value& item) {
                               const Value* labels = item.find("metadata")->find("labels");
                               const Value* spec = item.find("spec");
                               const Value* container = spec->find("containers")->first;
                               seen = {text_of(labels->find("env")),
                                       text_of(labels->find("volumes")),
                                       spec->find("volumes") == nullptr ? "no volumes" : "volumes",
                                       container->find("env") == nullptr ? "no env" : "env",
                                       text_of(container->find("name")),
                                       text_of(container->find("ports")->first->find("name"))};
                           },
                       .on_document = {}});
    ASSERT_TRUE(
        reader.feed(R"({"items":[{"metadata":{"labels":{"env":"prod","volumes":"x"}},"spec":{
        "volumes":[{"name":"v"}],"containers":[{"env":[{"name":"A"}],"name":"c","command":["x"],
        "ports":[{"name":"http"}]}]}}]})"));
    EXPECT_THAT(seen, ElementsAre("prod", "x", "no volumes", "no env", "c", "http"));
}

TEST(JsonReader, ConditionsAreReadWhereTheyAreWanted) {
    const auto has_conditions = [](bool wants) {
        bool has = false;
        JsonReader reader({.on_item =
                               [&](const Value& item) {
                                   has = item.find("status")->find("conditions") != nullptr;
                               },
                           .on_document = {}},
                          wants);
        EXPECT_TRUE(reader.feed(R"({"items":[{"status":{"conditions":[{"type":"A"}]}}]})"));
        return has;
    };
    EXPECT_FALSE(has_conditions(false));
    EXPECT_TRUE(has_conditions(true));
}

TEST(JsonReader, RefusesWhatIsNoJson) {
    for (const char* text :
         {"<html>", "{\"a\":}", "{\"a\":1,}", "[1 2]", "{\"a\":\"\x01\"}", "nul "}) {
        Reading reading;
        const Result<> fed = reading.feed(text);
        ASSERT_FALSE(fed) << text;
        EXPECT_THAT(fed.error().what, testing::HasSubstr("no JSON"));
        EXPECT_FALSE(reading.feed("{}")) << "an error stays";
    }
}

TEST(JsonReader, RefusesWhatIsNestedTooDeeplyOrTooLarge) {
    Reading deep;
    EXPECT_FALSE(deep.feed(std::string(1000, '[')));
    Reading large;
    const std::string megabyte(1 << 20, 'x');
    Result<> fed = large.feed("{\"items\":[{\"metadata\":{\"name\":\"");
    for (int i = 0; i < 40 && fed; ++i)
        fed = large.feed(megabyte);
    EXPECT_FALSE(fed);
}

TEST(JsonReader, AListOfAnySizeNeedsTheMemoryOfOneObject) {
    Reading reading;
    ASSERT_TRUE(reading.feed("{\"items\":["));
    const std::string item =
        R"({"metadata":{"name":"a"},"spec":{"x":")" + std::string(4096, 'x') + "\"}}";
    for (int i = 0; i < 20'000; ++i) { // 80 MB: more than an object may have
        ASSERT_TRUE(reading.feed(i == 0 ? item : "," + item));
    }
    ASSERT_TRUE(reading.feed("],\"metadata\":{\"resourceVersion\":\"9\"}}"));
    EXPECT_EQ(reading.items.size(), 20'000U);
    EXPECT_THAT(reading.documents, ElementsAre("9"));
}

} // namespace
} // namespace weir
