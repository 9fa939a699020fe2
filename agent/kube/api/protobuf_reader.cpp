// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/protobuf_reader.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

namespace weir {
namespace {

using google::protobuf::io::CodedInputStream;
using Message = ProtobufMessage;

constexpr std::string_view kMagic("k8s\0", 4);
constexpr std::uint32_t kRaw = 2;      // of runtime.Unknown
constexpr std::uint32_t kMetadata = 1; // of a list
constexpr std::uint32_t kItems = 2;    // of a list
constexpr std::size_t kMostOfTag = 20; // bytes of a field's tag and its length or number

constexpr std::array kListMetaFields = {ProtobufField{2, "resourceVersion", ProtobufType::kString},
                                        ProtobufField{3, "continue", ProtobufType::kString}};
constexpr Message kListMeta{kListMetaFields};

std::unexpected<Error> broken(std::string_view why) {
    return failure(fmt::format("the API server's answer is no protobuf list: {}", why));
}

// One field of a message on the wire.
struct WireField {
    enum class Kind { kNumber, kBytes, kOther };

    std::uint32_t number = 0;
    Kind kind = Kind::kOther;
    std::uint64_t value = 0; // of a number; of bytes, how many they are
    std::string_view bytes;  // whole, or as many as there are

    bool is_whole() const { return kind != Kind::kBytes || bytes.size() == value; }
};

CodedInputStream stream_of(std::string_view bytes) {
    return CodedInputStream(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                            static_cast<int>(bytes.size()));
}

// The fields of a message, one after another.
class Wire {
public:
    explicit Wire(std::string_view bytes) : bytes_(bytes), stream_(stream_of(bytes)) {}

    bool is_end() const { return !is_cut_ && position() == bytes_.size(); }
    std::size_t position() const { return static_cast<std::size_t>(stream_.CurrentPosition()); }

    // False when there is no other field, which is_end() tells from one that is cut off or none at
    // all.
    bool next(WireField& field) {
        if (!next_begun(field)) return false;
        is_cut_ = !field.is_whole();
        return !is_cut_;
    }
    // The same, but one whose bytes are still to come is given with those that there are.
    bool next_begun(WireField& field) {
        std::uint32_t tag = 0;
        if (is_end() || !stream_.ReadVarint32(&tag)) return false;
        field = {.number = tag >> 3, .bytes = {}};
        switch (tag & 7) {
            case 0:
                field.kind = WireField::Kind::kNumber;
                return stream_.ReadVarint64(&field.value);
            case 1:
                return stream_.Skip(8);
            case 2:
                field.kind = WireField::Kind::kBytes;
                if (!stream_.ReadVarint64(&field.value)) return false;
                field.bytes = bytes_.substr(position());
                field.bytes =
                    field.bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(
                                              field.value, field.bytes.size())));
                return stream_.Skip(static_cast<int>(field.bytes.size()));
            case 5:
                return stream_.Skip(4);
            default:
                return false;
        }
    }

private:
    std::string_view bytes_;
    CodedInputStream stream_;
    bool is_cut_ = false;
};

// Makes the values of one object. Its texts are where the message is.
class Tree {
public:
    explicit Tree(ValueArena& arena) : arena_(arena) {}

    // Returns whether the bytes are such a message.
    bool read(std::string_view bytes, const Message& message, Value& into) {
        std::array<Collection, kMostProtobufFields> collections{};
        Collection members{&into};
        Wire wire(bytes);
        WireField field;
        into.kind = Value::Kind::kMapping;
        while (wire.next(field)) {
            const auto known =
                std::ranges::find(message.fields, field.number, &ProtobufField::number);
            if (known == message.fields.end()) {
                if (message.is_strict) add(members, unknown(field.number));
                continue;
            }
            const auto index = static_cast<std::size_t>(known - message.fields.begin());
            if (!read_field(field, *known, members, collections[index]) ||
                arena_.used() > ObjectReader::kMaxObject)
                return false;
        }
        return wire.is_end();
    }

private:
    struct Collection {
        Value* value = nullptr;
        Value* last = nullptr;
    };

    Value* add(Collection& to, const Value& value) {
        Value* placed = arena_.place(value);
        (to.last == nullptr ? to.value->first : to.last->next) = placed;
        to.last = placed;
        to.value->weight += placed->weight;
        return placed;
    }

    bool read_field(const WireField& field, const ProtobufField& known, Collection& members,
                    Collection& collection) {
        Value value;
        value.key = known.name;
        const bool is_map = known.type == ProtobufType::kStringMap;
        if (!known.is_repeated && !is_map) {
            bool is_absent = false;
            if (!read_value(field, known, value, is_absent)) return false;
            if (!is_absent) add(members, value);
            return true;
        }
        if (collection.value == nullptr) {
            value.kind = is_map ? Value::Kind::kMapping : Value::Kind::kSequence;
            collection.value = add(members, value);
        }
        Value item;
        bool is_absent = false;
        const bool is_read =
            is_map ? read_entry(field, item) : read_value(field, known, item, is_absent);
        if (!is_read) return false;
        add(collection, item);
        members.value->weight += item.weight;
        return true;
    }

    // is_absent: Go's encoder writes what has no pointer even if it is nothing; JSON leaves it out.
    bool read_value(const WireField& field, const ProtobufField& known, Value& value,
                    bool& is_absent) {
        const bool is_number =
            known.type == ProtobufType::kInteger || known.type == ProtobufType::kBoolean;
        if (field.kind != (is_number ? WireField::Kind::kNumber : WireField::Kind::kBytes))
            return false;
        switch (known.type) {
            case ProtobufType::kString:
                value.kind = Value::Kind::kString;
                value.text = field.bytes;
                is_absent = field.bytes.empty();
                return true;
            case ProtobufType::kInteger:
                value.kind = Value::Kind::kInteger;
                value.text = number(field.value);
                is_absent = field.value == 0;
                return true;
            case ProtobufType::kBoolean:
                value.kind = Value::Kind::kBoolean;
                value.text = field.value == 0 ? "false" : "true";
                return true;
            case ProtobufType::kMessage:
                return read(field.bytes, *known.message, value);
            case ProtobufType::kIntOrString:
                return read_int_or_string(field.bytes, value);
            case ProtobufType::kTime:
                return read_time(field.bytes, value, is_absent);
            case ProtobufType::kStringMap:
                break;
        }
        return false;
    }

    bool read_entry(const WireField& field, Value& entry) {
        if (field.kind != WireField::Kind::kBytes) return false;
        entry.kind = Value::Kind::kString;
        Wire wire(field.bytes);
        WireField part;
        while (wire.next(part)) {
            if (part.number == 1) entry.key = part.bytes;
            if (part.number == 2) entry.text = part.bytes;
        }
        return wire.is_end();
    }

    bool read_int_or_string(std::string_view bytes, Value& value) {
        Wire wire(bytes);
        WireField part;
        std::uint64_t type = 0, integer = 0;
        std::string_view text;
        while (wire.next(part)) {
            if (part.number == 1) type = part.value;
            if (part.number == 2) integer = part.value;
            if (part.number == 3) text = part.bytes;
        }
        value.kind = type == 0 ? Value::Kind::kInteger : Value::Kind::kString;
        value.text = type == 0 ? number(integer) : text;
        return wire.is_end();
    }

    // As RFC 3339 has it, to the second.
    bool read_time(std::string_view bytes, Value& value, bool& is_absent) {
        Wire wire(bytes);
        WireField part;
        std::uint64_t seconds = 0;
        while (wire.next(part)) {
            if (part.number == 1) seconds = part.value;
        }
        is_absent = seconds == 0;
        if (seconds > kLastSecond) return false;
        value.kind = Value::Kind::kString;
        value.text = arena_.copy(
            fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(seconds))));
        return wire.is_end();
    }

    // No decoder knows a member of such a name, and says so.
    Value unknown(std::uint32_t number) {
        Value value;
        value.key = arena_.copy(fmt::format("(protobuf field {})", number));
        return value;
    }

    std::string_view number(std::uint64_t value) {
        return arena_.copy(fmt::format_int(static_cast<std::int64_t>(value)).str());
    }

    static constexpr std::uint64_t kLastSecond = 253'402'300'799; // of the year 9999

    ValueArena& arena_;
};

} // namespace

ProtobufReader::ProtobufReader(Handlers handlers, const ProtobufMessage& item)
    : handlers_(std::move(handlers)), item_(item) {}

Result<> ProtobufReader::feed(std::string_view bytes) {
    pending_ += bytes;
    std::string_view rest = pending_;
    while (!rest.empty()) {
        const auto taken = take(rest);
        if (!taken) return std::unexpected(taken.error());
        if (!*taken) break;
        if (!has_list_ || list_rest_ != 0 || std::exchange(is_finished_, true)) continue;
        if (auto done = finish_list(); !done) return done;
    }
    pending_.erase(0, pending_.size() - rest.size());
    return {};
}

bool ProtobufReader::is_complete() const {
    return is_finished_ && pending_.empty();
}

// Takes the next part off what was received. Returns false when it is not all there.
Result<bool> ProtobufReader::take(std::string_view& rest) {
    if (!is_begun_) {
        if (rest.size() < kMagic.size()) return false;
        if (!rest.starts_with(kMagic)) return broken("it begins otherwise");
        rest.remove_prefix(kMagic.size());
        is_begun_ = true;
        return true;
    }
    const bool is_in_list = list_rest_ != 0;
    Wire wire(rest);
    WireField field;
    if (!wire.next_begun(field)) {
        if (rest.size() < kMostOfTag) return false;
        return broken("a field of an unknown type");
    }
    const bool is_list = !is_in_list && field.number == kRaw;
    if (is_list) {
        if (field.kind != WireField::Kind::kBytes || has_list_) return broken("another list");
        has_list_ = true;
        list_rest_ = field.value;
        rest = rest.substr(wire.position() - field.bytes.size());
        return true;
    }
    if (!field.is_whole()) {
        if (field.value <= kMaxObject) return false;
        return broken(fmt::format("an object of more than {} MB", kMaxObject >> 20));
    }
    const std::size_t length = wire.position();
    rest.remove_prefix(length);
    if (!is_in_list) return true;
    if (length > list_rest_) return broken("an object that reaches beyond it");
    list_rest_ -= length;
    return finish_field(field.number, field.bytes);
}

// A field of the list is all there.
Result<bool> ProtobufReader::finish_field(std::uint32_t number, std::string_view bytes) {
    if (number == kMetadata) metadata_ = bytes;
    if (number != kItems) return true;
    Value item;
    const bool is_read = Tree(arena_).read(bytes, item_, item);
    if (is_read && handlers_.on_item) handlers_.on_item(item);
    arena_.release();
    if (!is_read) return broken("an object whose fields are not what the API has");
    return true;
}

Result<> ProtobufReader::finish_list() {
    Value metadata;
    Value document;
    metadata.key = "metadata";
    if (!Tree(arena_).read(metadata_, kListMeta, metadata)) return broken("its metadata");
    document.kind = Value::Kind::kMapping;
    document.first = &metadata;
    if (handlers_.on_document) handlers_.on_document(document);
    arena_.release();
    return {};
}

} // namespace weir
