// SPDX-License-Identifier: Apache-2.0
// What Weir reads of the Kubernetes API's protobuf messages: the numbers and types of their fields,
// as the generated.proto files of k8s.io/api and k8s.io/apimachinery have them ("Protobuf Encoding"
// in the API's reference), under the names that the fields have in JSON.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "agent/kube/kind.h"

namespace weir {

struct ProtobufMessage;

enum class ProtobufType : std::uint8_t {
    kString,
    kInteger,
    kBoolean,
    kMessage,
    kStringMap,   // map<string, string>
    kIntOrString, // k8s.io.apimachinery.pkg.util.intstr.IntOrString
    kTime         // k8s.io.apimachinery.pkg.apis.meta.v1.Time
};

struct ProtobufField {
    std::uint32_t number;
    std::string_view name;
    ProtobufType type = ProtobufType::kString;
    bool is_repeated = false;
    const ProtobufMessage* message = nullptr; // of kMessage
};

struct ProtobufMessage {
    std::span<const ProtobufField> fields;
    // Every field that the API has is here, and one that is not says something new: it becomes a
    // member, under a name that no decoder knows, so that they report it. Else it is passed over.
    bool is_strict = false;
};

constexpr std::size_t kMostProtobufFields = 24; // of a message

// The objects of a resource; null when Weir reads them as JSON (those of CustomResourceDefinitions
// have no other form).
const ProtobufMessage* protobuf_schema(const ApiResource& resource);

} // namespace weir
