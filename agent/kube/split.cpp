// SPDX-License-Identifier: Apache-2.0
// Where one document of a file ends and the next begins.
#include <algorithm>
#include <string_view>

#include "agent/kube/document.h"

namespace weir {
namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// "---" alone or followed by white space: YAML forbids it anywhere but between documents.
bool is_marker(std::string_view line) {
    return line.starts_with("---") && (line.size() == 3 || is_space(line[3]));
}

// 0 when there is nothing but white space.
char first_character(std::string_view text) {
    const auto first = std::ranges::find_if_not(text, is_space);
    return first == text.end() ? '\0' : *first;
}

// Length of the JSON object at the start of text, or of all of it when it does not end.
std::size_t json_length(std::string_view text) {
    std::size_t depth = 0;
    bool is_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (is_string) {
            if (c == '\\') ++i;
            if (c == '"') is_string = false;
            continue;
        }
        if (c == '"') is_string = true;
        if (c == '{' || c == '[') ++depth;
        if ((c == '}' || c == ']') && --depth == 0) return i + 1;
    }
    return text.size();
}

class Splitter {
public:
    std::vector<DocumentText> split(std::string_view file) {
        while (!file.empty()) {
            const std::size_t newline = file.find('\n');
            const std::size_t length = newline == file.npos ? file.size() : newline + 1;
            take(file.substr(0, length));
            file.remove_prefix(length);
        }
        finish();
        return std::move(documents_);
    }

private:
    // Directives and comments before a marker belong to the document that it opens.
    void take(std::string_view line) {
        if (is_marker(line)) {
            if (has_marker_ || has_content_) finish();
            has_marker_ = true;
            line_has_content(line.substr(3));
        } else {
            line_has_content(line);
        }
        if (text_.empty()) text_ = line.substr(0, 0);
        text_ = {text_.data(), text_.size() + line.size()};
        ++line_;
    }

    void line_has_content(std::string_view line) {
        const char first = first_character(line);
        has_content_ = has_content_ || (first != '\0' && first != '#' && first != '%');
    }

    void finish() {
        if (has_content_) add();
        text_ = {};
        first_line_ = line_;
        has_marker_ = has_content_ = false;
    }

    void add() {
        std::string_view text = text_;
        std::uint32_t first_line = first_line_;
        // kubectl reads "{...}{...}" as two objects; a YAML flow mapping ends where the text does.
        while (first_character(text) == '{') {
            const std::size_t length = json_length(text);
            const std::string_view rest = text.substr(length);
            if (first_character(rest) != '{') break;
            documents_.push_back({text.substr(0, length), first_line});
            const auto lines = std::ranges::count(text.substr(0, length), '\n');
            first_line += static_cast<std::uint32_t>(lines);
            text = rest;
        }
        documents_.push_back({text, first_line});
    }

    std::vector<DocumentText> documents_;
    std::string_view text_;
    std::uint32_t first_line_ = 1;
    std::uint32_t line_ = 1;
    bool has_marker_ = false;
    bool has_content_ = false;
};

} // namespace

std::vector<DocumentText> split_documents(std::string_view file) {
    if (file.starts_with("\xef\xbb\xbf")) file.remove_prefix(3);
    return Splitter{}.split(file);
}

} // namespace weir
