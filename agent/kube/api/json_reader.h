// SPDX-License-Identifier: Apache-2.0
// The API server's JSON, taken in pieces as they arrive: the objects of a list's `items` one by
// one, and the frames of a watch, which stand one after another. What is large and never used
// (managed fields, volumes, container statuses, ...) is passed over, so memory is bounded by one
// object.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "agent/kube/value.h"
#include "loader/result.h"

namespace weir {

class JsonReader {
public:
    // Values live for the duration of the call. They have no lines.
    struct Handlers {
        std::function<void(const Value&)> on_item;     // of the document's `items`
        std::function<void(const Value&)> on_document; // complete, without its items
    };

    // An object may be as large as that; the API server's own limit is a few megabytes.
    static constexpr std::size_t kMaxObject = std::size_t{32} << 20;

    // wants_conditions: status.conditions is not passed over.
    explicit JsonReader(Handlers handlers, bool wants_conditions = false);
    ~JsonReader();
    JsonReader(const JsonReader&) = delete;
    JsonReader& operator=(const JsonReader&) = delete;

    // Any number of documents, cut anywhere. Fails when they are no JSON or an object is too large:
    // the reader is of no use then.
    Result<> feed(std::string_view bytes);
    // Whether everything that was fed was complete.
    bool is_complete() const;

private:
    class Parser;
    std::unique_ptr<Parser> parser_;
};

} // namespace weir
