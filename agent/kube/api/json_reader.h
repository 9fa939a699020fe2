// SPDX-License-Identifier: Apache-2.0
// The API server's JSON: any number of documents, one after another. What is large and never used
// (managed fields, volumes, container statuses, ...) is passed over.
#pragma once

#include <memory>
#include <string_view>

#include "agent/kube/api/object_reader.h"

namespace weir {

class JsonReader : public ObjectReader {
public:
    // wants_conditions: status.conditions is not passed over.
    explicit JsonReader(Handlers handlers, bool wants_conditions = false);
    ~JsonReader() override;
    JsonReader(const JsonReader&) = delete;
    JsonReader& operator=(const JsonReader&) = delete;

    Result<> feed(std::string_view bytes) override;
    bool is_complete() const override;

private:
    class Parser;
    std::unique_ptr<Parser> parser_;
};

} // namespace weir
