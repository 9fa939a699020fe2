// SPDX-License-Identifier: Apache-2.0
// Lists in protobuf say what the same lists in JSON say. testdata: a real API server's, in both.
#include "agent/kube/api/protobuf_reader.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "agent/kube/api/json_reader.h"
#include "agent/kube/decode.h"
#include "agent/kube/kind.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::array kKinds = {Kind::kPod,     Kind::kNamespace,     Kind::kNode,
                               Kind::kService, Kind::kNetworkPolicy, Kind::kEndpointSlice};

std::string file_of(Kind kind, const char* suffix) {
    const std::string name = std::string(api_resource(kind).plural) + suffix;
    std::ifstream file(std::string(WEIR_API_TESTDATA) + "/" + name, std::ios::binary);
    EXPECT_TRUE(file) << name;
    return {std::istreambuf_iterator<char>(file), {}};
}

// What is in protobuf has to be in JSON, but for what Go's encoder writes although it is nothing.
void expect_within(const Value& part, const Value* whole, const std::string& path) {
    if (whole == nullptr) {
        EXPECT_TRUE(part.kind == Value::Kind::kBoolean && part.text == "false") << path;
        return;
    }
    EXPECT_EQ(part.kind, whole->kind) << path;
    EXPECT_EQ(part.text, whole->text) << path;
    const Value* item = whole->first;
    for (const Value* child = part.first; child != nullptr; child = child->next) {
        const std::string inner = path + "/" + std::string(child->key);
        if (part.kind == Value::Kind::kSequence) {
            expect_within(*child, item, inner);
            if (item != nullptr) item = item->next;
        } else {
            expect_within(*child, whole->find(child->key), inner);
        }
    }
    if (part.kind == Value::Kind::kSequence) {
        EXPECT_EQ(item, nullptr) << path;
    }
}

struct Listed {
    std::vector<DecodedFile> objects;
    std::vector<std::string> versions; // of each, and of the list
    std::string error;
    bool is_complete = false;
};

// A deep copy, for the comparison.
struct Copy {
    ValueArena arena;
    std::vector<const Value*> items;

    const Value* copy(const Value& value) {
        Value copied = value;
        copied.key = arena.copy(value.key);
        copied.text = arena.copy(value.text);
        copied.first = nullptr;
        copied.next = nullptr;
        Value* placed = arena.place(copied);
        Value* last = nullptr;
        for (const Value* child = value.first; child != nullptr; child = child->next) {
            auto* one = const_cast<Value*>(copy(*child));
            (last == nullptr ? placed->first : last->next) = one;
            last = one;
        }
        return placed;
    }
};

template <typename Reader, typename... Arguments>
Listed list_of(Kind kind, std::string_view text, std::size_t piece, Copy* copy,
               Arguments&&... arguments) {
    Listed listed;
    const auto version_of = [](const Value& object) {
        const Value* metadata = object.find("metadata");
        const Value* version = metadata == nullptr ? nullptr : metadata->find("resourceVersion");
        return version == nullptr ? "" : std::string(version->text);
    };
    Reader reader(
        {.on_item =
             [&](const Value& item) {
                 listed.objects.push_back(decode_object(kind, item));
                 listed.versions.push_back(version_of(item));
                 if (copy != nullptr) copy->items.push_back(copy->copy(item));
             },
         .on_document = [&](const Value& list) { listed.versions.push_back(version_of(list)); }},
        std::forward<Arguments>(arguments)...);
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
        if (const auto fed = reader.feed(text.substr(0, piece)); !fed) {
            listed.error = fed.error().what;
            return listed;
        }
    }
    listed.is_complete = reader.is_complete();
    return listed;
}

Listed list_protobuf(Kind kind, std::string_view text, std::size_t piece = 1 << 20,
                     Copy* copy = nullptr) {
    return list_of<ProtobufReader>(kind, text, piece, copy, *protobuf_schema(api_resource(kind)));
}

class EveryKind : public testing::TestWithParam<Kind> {};

TEST_P(EveryKind, IsTheSameInBothEncodings) {
    Copy in_json, in_protobuf;
    const Listed json =
        list_of<JsonReader>(GetParam(), file_of(GetParam(), ".json"), 1 << 20, &in_json);
    const Listed protobuf =
        list_protobuf(GetParam(), file_of(GetParam(), ".pb"), 1 << 20, &in_protobuf);
    EXPECT_EQ(protobuf.error, "");
    EXPECT_TRUE(protobuf.is_complete);
    EXPECT_EQ(protobuf.versions, json.versions);
    ASSERT_EQ(protobuf.objects.size(), json.objects.size());
    ASSERT_THAT(json.objects, Not(IsEmpty()));
    for (std::size_t i = 0; i < json.objects.size(); ++i) {
        ASSERT_EQ(protobuf.objects[i].objects.size(), json.objects[i].objects.size());
        EXPECT_EQ(protobuf.objects[i].problems.size(), json.objects[i].problems.size());
        for (std::size_t j = 0; j < json.objects[i].objects.size(); ++j) {
            ASSERT_TRUE(json.objects[i].objects[j].object);
            EXPECT_EQ(protobuf.objects[i].objects[j].key, json.objects[i].objects[j].key);
            EXPECT_EQ(protobuf.objects[i].objects[j].object, json.objects[i].objects[j].object);
        }
        expect_within(*in_protobuf.items[i], in_json.items[i], "item");
    }
}

TEST_P(EveryKind, MayBeCutAnywhere) {
    const std::string text = file_of(GetParam(), ".pb");
    const Listed whole = list_protobuf(GetParam(), text);
    for (const std::size_t piece : {1, 2, 7, 100}) {
        const Listed pieces = list_protobuf(GetParam(), text, piece);
        EXPECT_EQ(pieces.error, "");
        EXPECT_TRUE(pieces.is_complete);
        EXPECT_EQ(pieces.versions, whole.versions);
    }
    for (std::size_t length = 0; length < text.size(); length += 3)
        EXPECT_FALSE(
            list_protobuf(GetParam(), std::string_view(text).substr(0, length), 64).is_complete &&
            length < text.size() - 4) // empty strings of the envelope come last
            << length;
}

TEST_P(EveryKind, NothingThatIsReceivedHarms) {
    std::mt19937 random(7);
    const std::string text = file_of(GetParam(), ".pb");
    for (int round = 0; round < 500; ++round) {
        std::string broken = text;
        for (unsigned i = 0; i <= round % 4U; ++i)
            broken[random() % broken.size()] = static_cast<char>(random());
        list_protobuf(GetParam(), broken, 1 + random() % 3000);
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryKind, testing::ValuesIn(kKinds),
                         [](const auto& kind) { return std::string(to_string(kind.param)); });

std::string bytes_field(unsigned number, const std::string& bytes) {
    std::string field(1, static_cast<char>(number << 3 | 2));
    for (std::size_t rest = bytes.size();; rest >>= 7) {
        if (rest < 128) {
            field += static_cast<char>(rest);
            return field + bytes;
        }
        field += static_cast<char>(rest | 128);
    }
}
std::string list_with(const std::string& item) {
    const std::string list = bytes_field(1, bytes_field(2, "5")) + bytes_field(2, item);
    return std::string("k8s\0", 4) + bytes_field(2, list);
}
std::string policy_with(const std::string& peer) {
    const std::string metadata = bytes_field(1, "p") + bytes_field(3, "ns") + bytes_field(6, "5");
    const std::string rule = bytes_field(2, peer);
    const std::string spec = bytes_field(1, "") + bytes_field(2, rule) + bytes_field(4, "Ingress");
    return bytes_field(1, metadata) + bytes_field(2, spec);
}

// As of an unknown member in JSON: whoever wrote the policy is told that Weir is older than it.
TEST(ProtobufReader, AFieldOfAPolicyThatIsNewIsReported) {
    const auto known =
        list_protobuf(Kind::kNetworkPolicy, list_with(policy_with(bytes_field(1, ""))));
    ASSERT_EQ(known.objects.size(), 1U);
    EXPECT_THAT(known.objects[0].problems, IsEmpty());
    const auto newer = list_protobuf(
        Kind::kNetworkPolicy, list_with(policy_with(bytes_field(1, "") + bytes_field(9, "x"))));
    ASSERT_EQ(newer.objects.size(), 1U);
    ASSERT_EQ(newer.objects[0].problems.size(), 1U);
    EXPECT_THAT(newer.objects[0].problems[0].field, HasSubstr("from[0].(protobuf field 9)"));
}

TEST(ProtobufReader, RefusesWhatIsNoList) {
    EXPECT_THAT(list_protobuf(Kind::kPod, R"({"kind":"PodList"})").error, HasSubstr("no protobuf"));
    EXPECT_THAT(list_protobuf(Kind::kPod, std::string("k8s\0", 4) + std::string(64, '\x0f')).error,
                HasSubstr("unknown type"));
    const std::string number_for_text = bytes_field(1, std::string("\x08\x01", 2));
    EXPECT_THAT(list_protobuf(Kind::kPod, list_with(number_for_text)).error,
                HasSubstr("not what the API has"));
}

TEST(ProtobufReader, WhatIsCutOffWithinAnObjectIsRefused) {
    const std::string label = bytes_field(1, "app") + std::string("\x12\x09web", 5);
    EXPECT_THAT(list_protobuf(Kind::kPod, list_with(bytes_field(1, bytes_field(11, label)))).error,
                HasSubstr("not what the API has"));
    EXPECT_EQ(
        list_protobuf(Kind::kPod, list_with(bytes_field(1, bytes_field(11, bytes_field(1, "app")))))
            .error,
        "");
}

TEST(ProtobufReader, AnEmptyListIsOne) {
    const auto empty = list_protobuf(
        Kind::kPod, std::string("k8s\0", 4) + bytes_field(2, bytes_field(1, bytes_field(2, "9"))));
    EXPECT_TRUE(empty.is_complete);
    EXPECT_THAT(empty.versions, ElementsAre("9"));
}

} // namespace
} // namespace weir
