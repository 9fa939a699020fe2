// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/document.h"

#include <yaml.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory_resource>
#include <new>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace weir {
namespace {

class Parser {
public:
    explicit Parser(std::string_view text) {
        if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
        yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                     text.size());
        yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    }
    ~Parser() { yaml_parser_delete(&parser_); }
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;

    bool next(yaml_event_t& event) { return yaml_parser_parse(&parser_, &event) != 0; }

    SyntaxError error() const {
        const bool has_mark = parser_.error != YAML_READER_ERROR;
        const yaml_mark_t& mark = has_mark ? parser_.problem_mark : parser_.mark;
        std::string what = parser_.problem != nullptr ? parser_.problem : "cannot be parsed";
        if (parser_.context != nullptr) what += std::string(" ") + parser_.context;
        return {static_cast<std::uint32_t>(mark.line), static_cast<std::uint32_t>(mark.column + 1),
                what};
    }

private:
    yaml_parser_t parser_{};
};

struct Event {
    yaml_event_t raw{};
    Event() = default;
    ~Event() { yaml_event_delete(&raw); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
};

std::string_view view(const yaml_char_t* text) {
    return text == nullptr ? std::string_view{} : reinterpret_cast<const char*>(text);
}

// The standard tags force a type; others are local and leave the text a string.
std::optional<Value::Kind> kind_of_tag(std::string_view tag) {
    static constexpr std::string_view kPrefix = "tag:yaml.org,2002:";
    if (!tag.starts_with(kPrefix)) return Value::Kind::kString;
    tag.remove_prefix(kPrefix.size());
    if (tag == "null") return Value::Kind::kNull;
    if (tag == "bool") return Value::Kind::kBoolean;
    if (tag == "int") return Value::Kind::kInteger;
    if (tag == "float") return Value::Kind::kFloat;
    if (tag == "str" || tag == "timestamp") return Value::Kind::kString;
    return std::nullopt;
}

} // namespace

class Document::Arena {
public:
    explicit Arena(std::size_t text_size) : memory_(std::max<std::size_t>(text_size, 1024)) {}

    Value* value() { return new (memory_.allocate(sizeof(Value), alignof(Value))) Value; }

    std::string_view copy(std::string_view text) {
        if (text.empty()) return {};
        char* to = static_cast<char*>(memory_.allocate(text.size(), 1));
        std::memcpy(to, text.data(), text.size());
        return {to, text.size()};
    }

private:
    std::pmr::monotonic_buffer_resource memory_;
};

// Turns events into values. Fails by leaving an error: every step stops then.
class Document::Builder {
public:
    Builder(Arena& arena, std::uint32_t first_line) : arena_(arena), line_offset_(first_line) {}

    // False when the document is complete or wrong.
    bool take(const yaml_event_t& event) {
        at_ = event.start_mark;
        switch (event.type) {
            case YAML_SCALAR_EVENT:
                scalar(event);
                break;
            case YAML_ALIAS_EVENT:
                alias(view(event.data.alias.anchor));
                break;
            case YAML_SEQUENCE_START_EVENT:
                open(Value::Kind::kSequence, view(event.data.sequence_start.anchor));
                break;
            case YAML_MAPPING_START_EVENT:
                open(Value::Kind::kMapping, view(event.data.mapping_start.anchor));
                break;
            case YAML_SEQUENCE_END_EVENT:
            case YAML_MAPPING_END_EVENT:
                close();
                break;
            case YAML_STREAM_END_EVENT:
                return false;
            default:
                break;
        }
        return !error_.has_value();
    }

    const std::optional<SyntaxError>& error() const { return error_; }

    const Value* root() { return root_ != nullptr ? root_ : arena_.value(); }

private:
    using Keys = std::unordered_set<std::string_view>;

    struct Frame {
        Value collection;
        Value* last = nullptr;
        std::string anchor;
        std::optional<Value> key; // of the member whose value comes next
        bool has_merge = false;
    };

    void fail(std::string what) {
        error_ = SyntaxError{static_cast<std::uint32_t>(at_.line) + line_offset_,
                             static_cast<std::uint32_t>(at_.column + 1), std::move(what)};
    }

    Value place(Value::Kind kind) const {
        Value value;
        value.kind = kind;
        value.line = static_cast<std::uint32_t>(at_.line) + line_offset_;
        value.column = static_cast<std::uint32_t>(at_.column + 1);
        return value;
    }

    void scalar(const yaml_event_t& event) {
        const auto& raw = event.data.scalar;
        const std::string_view text(reinterpret_cast<const char*>(raw.value), raw.length);
        const std::string_view tag = view(raw.tag);
        std::optional<Value::Kind> kind = Value::Kind::kString;
        if (!tag.empty() && tag != "!") {
            kind = kind_of_tag(tag);
        } else if (raw.plain_implicit != 0) {
            kind = resolve_plain_scalar(text);
        }
        if (!kind) return fail("tag " + std::string(tag) + " is not supported");
        Value value = place(*kind);
        value.text = arena_.copy(text);
        add(value, view(raw.anchor), raw.plain_implicit != 0);
    }

    void alias(std::string_view anchor) {
        const auto found = anchors_.find(std::string(anchor));
        if (found == anchors_.end()) return fail("unknown anchor '" + std::string(anchor) + "'");
        if (found->second == nullptr) {
            return fail("anchor '" + std::string(anchor) + "' contains itself");
        }
        if (!expand(found->second->weight)) return;
        add(*found->second, {}); // shares the children
    }

    bool expand(std::size_t weight) {
        expansion_ += weight;
        if (expansion_ > kMaxExpansion) {
            fail("aliases expand to more than " + std::to_string(kMaxExpansion) + " values");
        }
        return !error_;
    }

    void open(Value::Kind kind, std::string_view anchor) {
        if (stack_.size() >= kMaxDepth) {
            return fail("nested deeper than " + std::to_string(kMaxDepth) + " levels");
        }
        if (!stack_.empty() && is_key_next(stack_.back())) {
            return fail("a mapping or list cannot be a key");
        }
        stack_.push_back({place(kind), nullptr, std::string(anchor), std::nullopt, false});
        if (!anchor.empty()) anchors_[std::string(anchor)] = nullptr;
    }

    void close() {
        Frame frame = std::move(stack_.back());
        stack_.pop_back();
        if (frame.has_merge) merge(frame);
        if (error_) return;
        if (frame.collection.kind == Value::Kind::kMapping) mark_duplicates(frame.collection);
        add(frame.collection, frame.anchor);
    }

    static bool is_key_next(const Frame& frame) {
        return frame.collection.kind == Value::Kind::kMapping && !frame.key;
    }

    void add(const Value& value, std::string_view anchor, bool is_plain = false) {
        if (!anchor.empty()) anchors_[std::string(anchor)] = copy_of(value);
        if (stack_.empty()) {
            root_ = copy_of(value);
            return;
        }
        Frame& frame = stack_.back();
        if (is_key_next(frame)) return take_key(frame, value, is_plain);
        Value* placed = copy_of(value);
        if (frame.key) {
            placed->key = frame.key->text;
            placed->key_line = frame.key->line;
            placed->key_column = frame.key->column;
            frame.key.reset();
        }
        append(frame, placed);
    }

    // Not yet in any collection.
    Value* copy_of(const Value& value) {
        Value* copy = arena_.value();
        *copy = value;
        copy->next = nullptr;
        copy->duplicate_of = nullptr;
        return copy;
    }

    static void append(Frame& frame, Value* value) {
        if (frame.last != nullptr) {
            frame.last->next = value;
        } else {
            frame.collection.first = value;
        }
        frame.last = value;
        frame.collection.weight += value->weight;
        frame.collection.has_duplicates |= value->has_duplicates;
    }

    // Keys become strings as in the API's decoder: 1 is "1", yes is "true".
    void take_key(Frame& frame, Value key, bool is_plain) {
        if (key.kind == Value::Kind::kNull) return fail("a key is null");
        if (key.kind >= Value::Kind::kSequence) return fail("a mapping or list cannot be a key");
        if (is_plain && key.text == "<<") {
            frame.has_merge = true;
            key.text = kMergeKey; // its address tells it from a quoted "<<"
        } else if (key.kind == Value::Kind::kBoolean && !key.is_letter_boolean()) {
            key.text = *to_boolean(key) ? "true" : "false";
        } else if (key.kind == Value::Kind::kInteger && to_integer(key)) {
            key.text = arena_.copy(std::to_string(*to_integer(key)));
        }
        frame.key = key;
    }

    // "<<" takes over the members of other mappings; those written out, and earlier ones, win.
    void merge(Frame& frame) {
        const Value* old = std::exchange(frame.collection.first, nullptr);
        frame.last = nullptr;
        frame.collection.weight = 1;
        std::vector<const Value*> sources;
        Keys keys;
        while (old != nullptr) {
            Value* member = const_cast<Value*>(std::exchange(old, old->next));
            member->next = nullptr;
            if (member->key.data() == kMergeKey.data()) {
                sources.push_back(member);
            } else {
                append(frame, member);
                keys.insert(member->key);
            }
        }
        for (const Value* source : sources)
            merge_from(frame, *source, keys);
    }

    void merge_from(Frame& frame, const Value& source, Keys& keys) {
        if (source.kind == Value::Kind::kSequence) {
            for (const Value* item = source.first; item != nullptr; item = item->next) {
                if (item->kind != Value::Kind::kMapping) return merge_error(source);
                merge_members(frame, *item, keys);
            }
        } else if (source.kind == Value::Kind::kMapping) {
            merge_members(frame, source, keys);
        } else {
            merge_error(source);
        }
    }

    void merge_error(const Value& source) {
        fail("a merge key (<<) needs a mapping or a list of mappings");
        error_->line = source.line;
        error_->column = source.column;
    }

    void merge_members(Frame& frame, const Value& source, Keys& keys) {
        for (const Value* member = source.first; member != nullptr && !error_;
             member = member->next) {
            if (!expand(member->weight)) return;
            if (keys.insert(member->key).second) append(frame, copy_of(*member));
        }
    }

    static void mark_duplicates(Value& mapping) {
        std::size_t count = 0;
        for (const Value* member = mapping.first; member != nullptr; member = member->next)
            ++count;
        if (count <= kFewMembers) return compare_members(mapping);
        std::unordered_map<std::string_view, const Value*> seen(count * 2);
        for (const Value* member = mapping.first; member != nullptr; member = member->next) {
            const auto [earlier, is_new] = seen.try_emplace(member->key, member);
            if (!is_new) duplicate(mapping, *member, earlier->second);
        }
    }

    static void compare_members(Value& mapping) {
        for (const Value* later = mapping.first; later != nullptr; later = later->next) {
            const Value* earlier = mapping.first;
            while (earlier != later && earlier->key != later->key)
                earlier = earlier->next;
            if (earlier != later) duplicate(mapping, *later, earlier);
        }
    }

    static void duplicate(Value& mapping, const Value& later, const Value* earlier) {
        mapping.has_duplicates = true;
        const_cast<Value&>(later).duplicate_of = earlier;
    }

    static constexpr std::string_view kMergeKey = "<<";
    static constexpr std::size_t kFewMembers = 16;

    Arena& arena_;
    std::uint32_t line_offset_;
    yaml_mark_t at_{};
    std::vector<Frame> stack_;
    std::unordered_map<std::string, const Value*> anchors_; // null while the anchor is still open
    std::size_t expansion_ = 0;
    const Value* root_ = nullptr;
    std::optional<SyntaxError> error_;
};

// What is missing at the end is missing in the last line, not in the one behind it.
static SyntaxError inside(SyntaxError error, const DocumentText& text) {
    std::uint32_t last = text.first_line;
    for (std::size_t i = 0; i + 1 < text.text.size(); ++i) {
        const bool is_break = text.text[i] == '\n' || text.text[i] == '\r';
        last += is_break && text.text.substr(i, 2) != "\r\n" ? 1 : 0;
    }
    if (error.line > last) error = {last, 0, std::move(error.what)};
    return error;
}

std::expected<Document, SyntaxError> Document::parse(const DocumentText& text) {
    auto arena = std::make_unique<Arena>(text.text.size());
    Builder builder(*arena, text.first_line);
    Parser parser(text.text);
    for (bool goes_on = true; goes_on;) {
        Event event;
        if (!parser.next(event.raw)) {
            SyntaxError error = parser.error();
            error.line += text.first_line;
            return std::unexpected(inside(std::move(error), text));
        }
        goes_on = builder.take(event.raw);
    }
    if (builder.error()) return std::unexpected(*builder.error());
    const Value* root = builder.root();
    return Document(std::move(arena), root);
}

Document::Document(std::unique_ptr<Arena> arena, const Value* root)
    : arena_(std::move(arena)), root_(root) {}
Document::~Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;

} // namespace weir
