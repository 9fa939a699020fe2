// SPDX-License-Identifier: Apache-2.0
// YAML and JSON text to trees of values with lines and columns, on libyaml's event API. JSON takes
// the same way, so that its problems have lines too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kube/value.h"

namespace weir {

inline constexpr std::size_t kMaxManifestBytes = std::size_t{64} << 20;
inline constexpr std::size_t kMaxDepth = 100;
// Nodes that aliases and merge keys may add to one document.
inline constexpr std::size_t kMaxExpansion = 1'000'000;

// One document of a file, not parsed yet.
struct DocumentText {
    std::string_view text;
    std::uint32_t first_line = 1; // of text, in the file
};

// Splits a file at its "---" lines, and a stream of JSON objects between them, so that a syntax
// error in one document leaves the others alone. Text without any content yields nothing.
std::vector<DocumentText> split_documents(std::string_view file);

struct SyntaxError {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::string what;
};

class Document {
public:
    // Values refer to the document's own memory, not to the text.
    static std::expected<Document, SyntaxError> parse(const DocumentText& text);

    ~Document();
    Document(Document&&) noexcept;
    Document& operator=(Document&&) noexcept;

    // Null when the document is empty or says so.
    const Value& root() const { return *root_; }

private:
    class Arena;
    class Builder;

    Document(std::unique_ptr<Arena> arena, const Value* root);

    std::unique_ptr<Arena> arena_;
    const Value* root_;
};

} // namespace weir
