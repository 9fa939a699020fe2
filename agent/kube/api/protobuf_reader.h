// SPDX-License-Identifier: Apache-2.0
// A list in the Kubernetes API's protobuf encoding (application/vnd.kubernetes.protobuf): the magic
// number "k8s\0" and a runtime.Unknown, whose raw bytes are the list, "Protobuf Encoding" in the
// API's reference. It costs the API server a fraction of what JSON does, and the agent too.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/kube/api/object_reader.h"
#include "agent/kube/api/protobuf_schema.h"
#include "agent/kube/api/value_arena.h"

namespace weir {

class ProtobufReader : public ObjectReader {
public:
    // item: what the list is of; it has to outlive the reader. Objects look as JsonReader's do,
    // with what the schema knows of them.
    ProtobufReader(Handlers handlers, const ProtobufMessage& item);

    Result<> feed(std::string_view bytes) override;
    bool is_complete() const override;

private:
    Result<bool> take(std::string_view& rest);
    Result<bool> finish_field(std::uint32_t number, std::string_view bytes);
    Result<> finish_list();

    Handlers handlers_;
    const ProtobufMessage& item_;
    ValueArena arena_;
    std::string pending_;         // received and not read yet
    std::string metadata_;        // of the list, as received
    std::uint64_t list_rest_ = 0; // bytes of the list that are not read yet
    bool is_begun_ = false;       // the magic number was read
    bool has_list_ = false;       // the list has begun
    bool is_finished_ = false;    // and was read to its end
};

} // namespace weir
