// SPDX-License-Identifier: Apache-2.0
// A manifest file's text to typed objects: every valid object, every problem, with the documents
// and Lists of the file taken apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kube/document.h"
#include "agent/kube/problem.h"
#include "policy/model.h"

namespace weir {

struct DecodedObject {
    ObjectKey key;
    Origin origin;
    std::optional<Object> object; // nothing when it is invalid
    std::string why;              // then the first error
    DocumentText document;        // that it stands in, a part of the text given
};

// An object of a kind that Weir does not use.
struct IgnoredObject {
    std::string kind; // "Deployment (apps/v1)"
    std::uint32_t line = 0;
};

struct DecodedFile {
    // Without those that Weir does not enforce, of which a warning says so.
    std::vector<DecodedObject> objects;
    std::vector<IgnoredObject> ignored;
    std::vector<Problem> problems;
    // Why a part of the file cannot be told to be this or that object: empty when there is none.
    std::string unidentified;
};

// Origins and problems name the file as given here.
DecodedFile decode_file(const std::string& file, std::string_view text);

// One object as the Kubernetes API serves it: origins and problems have no file and no line.
DecodedFile decode_object(Kind kind, const Value& object);

const Origin& origin_of(const Object& object);

} // namespace weir
