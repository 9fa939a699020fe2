// SPDX-License-Identifier: Apache-2.0
// The API server's objects, taken in pieces as they arrive, so that memory is bounded by one of
// them: those of a list one by one, the frames of a watch one after another.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "agent/kube/value.h"
#include "loader/result.h"

namespace weir {

class ObjectReader {
public:
    // Values live for the duration of the call. They have no lines.
    struct Handlers {
        std::function<void(const Value&)> on_item;     // of the document's `items`
        std::function<void(const Value&)> on_document; // complete, without its items
    };

    // An object may be as large as that; the API server's own limit is a few megabytes.
    static constexpr std::size_t kMaxObject = std::size_t{32} << 20;

    virtual ~ObjectReader() = default;

    // The answer's next bytes, cut anywhere. Fails when they are not what the reader reads or an
    // object is too large: the reader is of no use then.
    virtual Result<> feed(std::string_view bytes) = 0;
    // Whether everything that was fed was complete.
    virtual bool is_complete() const = 0;
};

} // namespace weir
