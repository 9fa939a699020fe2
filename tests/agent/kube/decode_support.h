// SPDX-License-Identifier: Apache-2.0
// Manifests of one object, and what decoding them must say.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "agent/kube/decode.h"

namespace weir {

// The text with every line but the first indented.
inline std::string indented(std::string_view text, std::string_view by) {
    std::string result;
    for (const char c : text) {
        result += c;
        if (c == '\n') result += by;
    }
    return result;
}

// What a spec must be told: where, and a part of the words.
struct Remark {
    const char* spec;
    const char* field;
    const char* what;
    std::uint32_t line = 0; // 0: any behind the metadata
};

inline std::string to_text(const std::vector<Problem>& problems) {
    std::string text;
    for (const Problem& problem : problems)
        text += "\n" + to_string(problem);
    return text;
}

// Whether there is such a problem of f.yaml, and of that object.
inline bool has_problem(const DecodedFile& file, Severity severity, const Remark& remark,
                        std::string_view object) {
    return std::ranges::any_of(file.problems, [&](const Problem& problem) {
        return problem.severity == severity && problem.field == remark.field &&
               problem.what.find(remark.what) != std::string::npos && problem.object == object &&
               problem.file == "f.yaml" &&
               (remark.line == 0 ? problem.line > 3 : problem.line == remark.line);
    });
}

} // namespace weir
