// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/json_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/kube/api/value_arena.h"
#include "agent/kube/document.h"

namespace weir {
namespace {

namespace json = boost::json;
using boost::system::error_code;

// Members that no decoder looks at, by what they are members of.
struct Unused {
    std::string_view parent;
    std::string_view name;
};
constexpr std::array kUnusedOfObject = {
    Unused{"metadata", "managedFields"},
    Unused{"metadata", "ownerReferences"},
    Unused{"spec", "volumes"},
    Unused{"spec", "affinity"},
    Unused{"spec", "tolerations"},
    Unused{"status", "conditions"},
    Unused{"status", "containerStatuses"},
    Unused{"status", "initContainerStatuses"},
    Unused{"status", "ephemeralContainerStatuses"},
    Unused{"status", "images"},
    Unused{"status", "nodeInfo"},
    Unused{"spec", "versions"}}; // of a CustomResourceDefinition: its schemas
constexpr std::array<std::string_view, 13> kUnusedOfContainer = {
    "args",        "command",         "env",           "envFrom",
    "image",       "lifecycle",       "livenessProbe", "readinessProbe",
    "resources",   "securityContext", "startupProbe",  "volumeDevices",
    "volumeMounts"};

// Boost.JSON's parser calls this; its names are the parser's.
class TreeHandler {
public:
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1); // NOLINT
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);  // NOLINT
    static constexpr std::size_t max_key_size = JsonReader::kMaxObject;          // NOLINT
    static constexpr std::size_t max_string_size = JsonReader::kMaxObject;       // NOLINT

    TreeHandler(JsonReader::Handlers handlers, bool wants_conditions)
        : handlers_(std::move(handlers)), wants_conditions_(wants_conditions) {}

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code& error) { return open(Value::Kind::kMapping, error); }
    bool on_object_end(std::size_t, error_code& error) { return close(error); }
    bool on_array_begin(error_code& error) { return open(Value::Kind::kSequence, error); }
    bool on_array_end(std::size_t, error_code& error) { return close(error); }

    bool on_key_part(json::string_view part, std::size_t, error_code& error) {
        return gather(part, error);
    }
    bool on_key(json::string_view last, std::size_t, error_code& error) {
        if (!gather(last, error)) return false;
        if (skipped_depth_ == 0) {
            const std::string_view key = text_;
            is_next_skipped_ = is_unused(key);
            stack_.back().key = arena().copy(key);
        }
        text_.clear();
        return true;
    }
    bool on_string_part(json::string_view part, std::size_t, error_code& error) {
        return gather(part, error);
    }
    bool on_string(json::string_view last, std::size_t, error_code& error) {
        return gather(last, error) && scalar(Value::Kind::kString, error);
    }
    bool on_number_part(json::string_view part, error_code& error) { return gather(part, error); }
    bool on_int64(std::int64_t, json::string_view last, error_code& error) {
        return gather(last, error) && scalar(Value::Kind::kInteger, error);
    }
    bool on_uint64(std::uint64_t, json::string_view last, error_code& error) {
        return gather(last, error) && scalar(Value::Kind::kInteger, error);
    }
    bool on_double(double, json::string_view last, error_code& error) {
        return gather(last, error) && scalar(Value::Kind::kFloat, error);
    }
    bool on_bool(bool value, error_code& error) {
        text_ = value ? "true" : "false";
        return scalar(Value::Kind::kBoolean, error);
    }
    bool on_null(error_code& error) { return scalar(Value::Kind::kNull, error); }
    bool on_comment_part(json::string_view, error_code&) { return true; }
    bool on_comment(json::string_view, error_code&) { return true; }

private:
    struct Frame {
        Value collection;
        Value* last = nullptr;
        std::string_view key;  // of the member whose value comes next; its own in the parent before
        std::string_view name; // that it has in its parent
    };

    bool is_in_item() const { return has_items_open_ && stack_.size() > 2; }
    ValueArena& arena() { return is_in_item() || is_item_next() ? item_arena_ : document_arena_; }
    bool is_item_next() const { return has_items_open_ && stack_.size() == 2; }

    bool gather(std::string_view part, error_code& error) {
        if (skipped_depth_ != 0) return true;
        text_ += part;
        if (text_.size() <= JsonReader::kMaxObject) return true;
        error = json::error::object_too_large;
        return false;
    }

    bool open(Value::Kind kind, error_code& error) {
        if (skipped_depth_ != 0 || std::exchange(is_next_skipped_, false)) {
            ++skipped_depth_;
            return true;
        }
        if (stack_.size() >= kMaxDepth) {
            error = json::error::too_deep;
            return false;
        }
        Frame frame;
        frame.collection.kind = kind;
        if (!stack_.empty()) frame.name = stack_.back().key;
        if (stack_.size() == 1 && kind == Value::Kind::kSequence && frame.name == "items") {
            has_items_open_ = true;
        }
        stack_.push_back(frame);
        return true;
    }

    bool close(error_code& error) {
        if (skipped_depth_ != 0) {
            --skipped_depth_;
            return true;
        }
        const Value value = stack_.back().collection;
        stack_.pop_back();
        if (stack_.size() == 1) has_items_open_ = false;
        return add(value, error);
    }

    bool scalar(Value::Kind kind, error_code& error) {
        if (skipped_depth_ != 0 || std::exchange(is_next_skipped_, false)) {
            text_.clear();
            return true;
        }
        Value value;
        value.kind = kind;
        value.text = arena().copy(text_);
        text_.clear();
        return add(value, error);
    }

    bool add(const Value& value, error_code& error) {
        if (stack_.empty()) {
            if (handlers_.on_document) handlers_.on_document(value);
            document_arena_.release();
            return true;
        }
        if (is_item_next()) {
            if (handlers_.on_item) handlers_.on_item(value);
            item_arena_.release();
            return true;
        }
        Frame& frame = stack_.back();
        Value* placed = arena().place(value);
        placed->key = std::exchange(frame.key, {});
        (frame.last == nullptr ? frame.collection.first : frame.last->next) = placed;
        frame.last = placed;
        frame.collection.weight += placed->weight;
        if (item_arena_.used() + document_arena_.used() <= JsonReader::kMaxObject) return true;
        error = json::error::object_too_large;
        return false;
    }

    // An object is an item of a list, or the member `object` of a watch's frame.
    bool is_unused(std::string_view key) const {
        const std::size_t object = has_items_open_ ? 3 : 2; // frames down to its own
        if (stack_.size() == object + 1) {
            const std::string_view parent = stack_.back().name;
            if (wants_conditions_ && parent == "status" && key == "conditions") return false;
            return std::ranges::any_of(kUnusedOfObject, [&](const Unused& unused) {
                return unused.parent == parent && unused.name == key;
            });
        }
        if (stack_.size() != object + 3) return false;
        const std::string_view list = stack_[stack_.size() - 2].name;
        return (list == "containers" || list == "initContainers") &&
               stack_[stack_.size() - 3].name == "spec" &&
               std::ranges::find(kUnusedOfContainer, key) != kUnusedOfContainer.end();
    }

    JsonReader::Handlers handlers_;
    bool wants_conditions_;
    ValueArena document_arena_;
    ValueArena item_arena_;
    std::vector<Frame> stack_;
    std::string text_; // of the key or scalar that arrives
    std::size_t skipped_depth_ = 0;
    bool is_next_skipped_ = false;
    bool has_items_open_ = false;
};

json::parse_options options() {
    json::parse_options options;
    options.max_depth = kMaxDepth;
    return options;
}

} // namespace

class JsonReader::Parser {
public:
    Parser(Handlers handlers, bool wants_conditions)
        : parser_(options(), std::move(handlers), wants_conditions) {}

    Result<> feed(std::string_view bytes) {
        while (!bytes.empty()) {
            if (!is_open_) {
                const std::size_t content = bytes.find_first_not_of(" \t\r\n");
                if (content == bytes.npos) return {};
                bytes.remove_prefix(content);
                parser_.reset();
                is_open_ = true;
            }
            error_code error;
            const std::size_t taken = parser_.write_some(true, bytes.data(), bytes.size(), error);
            if (error) return failure("the API server's answer is no JSON: " + error.message());
            bytes.remove_prefix(taken);
            if (parser_.done()) is_open_ = false;
        }
        return {};
    }

    bool is_open() const { return is_open_; }

private:
    json::basic_parser<TreeHandler> parser_;
    bool is_open_ = false; // a document has begun
};

JsonReader::JsonReader(Handlers handlers, bool wants_conditions)
    : parser_(std::make_unique<Parser>(std::move(handlers), wants_conditions)) {}
JsonReader::~JsonReader() = default;

Result<> JsonReader::feed(std::string_view bytes) {
    return parser_->feed(bytes);
}

bool JsonReader::is_complete() const {
    return !parser_->is_open();
}

} // namespace weir
