// SPDX-License-Identifier: Apache-2.0
// Any bytes as a manifest file: decoding them crashes never, and says of everything that it does
// not take what is wrong and where.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "agent/kube/decode.h"

namespace {

// Assertions may be off; this ends the process in every build, as libFuzzer expects.
void require(bool holds, const char* claim, const std::string& detail) {
    if (holds) return;
    std::cerr << "broken: " << claim << ": " << detail << "\n";
    std::abort();
}

void check(const weir::DecodedFile& file, std::size_t lines) {
    for (const weir::Problem& problem : file.problems) {
        const std::string text = weir::to_string(problem);
        require(problem.file == "fuzz.yaml", "a problem names its file", text);
        require(problem.line <= lines, "a problem is in a line of the file", text);
        require(!problem.what.empty(), "a problem says what is wrong", text);
        require(text.find('\n') == text.npos, "a problem is one line", text);
    }
    const bool has_errors = std::ranges::any_of(file.problems, [](const weir::Problem& problem) {
        return problem.severity == weir::Severity::kError;
    });
    require(file.unidentified.empty() || has_errors, "what is unidentified is an error",
            file.unidentified);
    for (const weir::DecodedObject& object : file.objects) {
        const std::string name = to_string(object.key);
        require(!object.key.name.name.get().empty(), "an object has a name", name);
        require(object.origin.line >= 1 && object.origin.line <= lines, "an object has a line",
                name);
        if (object.object) {
            require(key_of(*object.object) == object.key, "an object has its key", name);
            require(origin_of(*object.object) == object.origin, "an object has its origin", name);
        } else {
            require(has_errors && !object.why.empty(), "a refused object has a reason", name);
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto breaks = std::ranges::count_if(text, [](char c) { return c == '\n' || c == '\r'; });
    // YAML breaks lines at NEL, LS and PS too, of two and three bytes.
    check(weir::decode_file("fuzz.yaml", text), static_cast<std::size_t>(breaks) + size / 2 + 1);
    return 0;
}
