// SPDX-License-Identifier: Apache-2.0
#include "agent/cni/conflist.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

namespace weir {
namespace {

using Json = nlohmann::json;

constexpr const char* kType = "weir-cni";

bool has_word(const Json& object, const char* member) {
    const auto found = object.find(member);
    return found != object.end() && found->is_string() &&
           !found->get_ref<const std::string&>().empty();
}

struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;

    std::string of(const std::string& text) const { return text.substr(begin, end - begin); }
};

// Steps over the values of a text that is known to be JSON.
class Scanner {
public:
    explicit Scanner(const std::string& text) : text_(text) {}

    // The elements of the member "plugins" of the object; of the last one, as Go reads it.
    std::vector<Span> plugins() {
        std::vector<Span> found;
        enter();
        while (!leave('}')) {
            const std::string key = Json::parse(value().of(text_));
            skip(":");
            if (key == "plugins" && peek() == '[') {
                found = elements();
            } else {
                value();
            }
            skip(",");
        }
        return found;
    }

private:
    std::vector<Span> elements() {
        std::vector<Span> found;
        enter();
        while (!leave(']')) {
            found.push_back(value());
            skip(",");
        }
        return found;
    }

    char peek() {
        skip("");
        return text_[at_];
    }

    // White space, and these characters.
    void skip(std::string_view characters) {
        while (at_ < text_.size() && (std::isspace(static_cast<unsigned char>(text_[at_])) != 0 ||
                                      characters.find(text_[at_]) != std::string_view::npos)) {
            ++at_;
        }
    }

    void enter() {
        skip("");
        ++at_;
    }

    bool leave(char bracket) {
        if (peek() != bracket) return false;
        ++at_;
        return true;
    }

    Span value() {
        Span span{.begin = (skip(""), at_), .end = 0};
        int depth = 0;
        do {
            const char c = text_[at_];
            if (c == '"') {
                string();
            } else if (c == '{' || c == '[') {
                ++depth;
                ++at_;
            } else if (c == '}' || c == ']') {
                --depth;
                ++at_;
            } else if (depth > 0) {
                ++at_;
            } else {
                at_ = std::min(text_.find_first_of(",]} \t\r\n", at_), text_.size());
            }
        } while (depth > 0);
        span.end = at_;
        return span;
    }

    void string() {
        for (++at_; text_[at_] != '"'; ++at_)
            if (text_[at_] == '\\') ++at_;
        ++at_;
    }

    const std::string& text_;
    std::size_t at_ = 0;
};

bool is_ours(const std::string& element) {
    const Json plugin = Json::parse(element);
    return plugin.is_object() && has_word(plugin, "type") && plugin["type"] == kType;
}

} // namespace

bool is_usable_conflist(const std::string& text) {
    const Json list = Json::parse(text, nullptr, false);
    if (!list.is_object() || !has_word(list, "name")) return false;
    const auto plugins = list.find("plugins");
    return plugins != list.end() && plugins->is_array() && !plugins->empty() &&
           std::ranges::all_of(*plugins, [](const Json& plugin) {
               return plugin.is_object() && has_word(plugin, "type");
           });
}

bool is_usable_conf(const std::string& text) {
    const Json conf = Json::parse(text, nullptr, false);
    return conf.is_object() && has_word(conf, "type") && has_word(conf, "name");
}

std::string conflist_of(const std::string& conf) {
    const Json parsed = Json::parse(conf);
    const auto first = conf.find_first_not_of(" \t\r\n");
    const auto last = conf.find_last_not_of(" \t\r\n");
    std::string list = "{\n";
    if (has_word(parsed, "cniVersion")) {
        list += "  \"cniVersion\": " + parsed["cniVersion"].dump() + ",\n";
    }
    return list + "  \"name\": " + parsed["name"].dump() + ",\n  \"plugins\": [\n    " +
           conf.substr(first, last - first + 1) + "\n  ]\n}\n";
}

std::string weir_plugin(const std::string& socket) {
    return R"({"type": ")" + std::string(kType) + R"(", "socket": )" + Json(socket).dump() + "}";
}

std::string chain_plugin(const std::string& conflist, const std::string& plugin) {
    auto spans = Scanner(conflist).plugins();
    const auto is_it = [&](const Span& span) { return is_ours(span.of(conflist)); };
    const auto ours = std::ranges::find_if(spans, is_it);
    std::string chained = conflist;
    if (ours != spans.end()) {
        if (Json::parse(ours->of(conflist)) == Json::parse(plugin)) return conflist;
        return chained.replace(ours->begin, ours->end - ours->begin, plugin);
    }
    const Span last = spans.back();
    // Indented as the one before it.
    const std::size_t lead = conflist.find_last_not_of(" \t\r\n", last.begin - 1) + 1;
    return chained.insert(last.end, "," + conflist.substr(lead, last.begin - lead) + plugin);
}

std::string unchain_plugin(const std::string& conflist) {
    std::string left = conflist;
    while (true) {
        const auto spans = Scanner(left).plugins();
        const auto ours =
            std::ranges::find_if(spans, [&](const Span& span) { return is_ours(span.of(left)); });
        if (ours == spans.end()) return left;
        const std::size_t begin = ours != spans.begin() ? std::prev(ours)->end : ours->begin;
        const bool is_first_of_many = ours == spans.begin() && spans.size() > 1;
        left.erase(begin, (is_first_of_many ? std::next(ours)->begin : ours->end) - begin);
    }
}

} // namespace weir
