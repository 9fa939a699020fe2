// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/output.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <iostream>

#include "agent/control/weir.pb.h"

namespace weir::cli {
namespace {

std::string basis_text(const v1::Rule& rule) {
    if (rule.basis() == "not_isolated") return "not isolated";
    if (rule.basis() == "own_node") return "own node";
    if (rule.basis() == "own_address") return "own address";
    if (rule.basis() == "pod_unknown") return "pod object not known";
    if (rule.basis() == "unknown") return "rule of an earlier revision";
    return rule.basis();
}

std::string join(const google::protobuf::RepeatedPtrField<std::string>& words) {
    return fmt::format("{}", fmt::join(words, ", "));
}

} // namespace

bool is_colourful() {
    const char* refused = std::getenv("NO_COLOR");
    return (refused == nullptr || *refused == '\0') && isatty(STDOUT_FILENO) == 1;
}

void print_json(const google::protobuf::Message& message) {
    google::protobuf::util::JsonPrintOptions options;
    options.preserve_proto_field_names = true;
    options.always_print_primitive_fields = true;
    std::string text;
    const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
    if (!status.ok()) return print_error(std::string(status.message()));
    std::cout << text << '\n' << std::flush;
}

void print_error(std::string_view message) {
    std::cerr << "weir: " << message << '\n';
}

Cell verdict_cell(const std::string& verdict) {
    if (verdict == "allow") return {verdict, Colour::kGood};
    if (verdict == "deny") return {verdict, Colour::kBad};
    if (verdict == "audit") return {verdict, Colour::kWarning};
    return {verdict.empty() ? "-" : verdict, Colour::kFaint};
}

std::string place_text(const std::string& file, std::uint32_t line) {
    if (file.empty()) return {};
    return line == 0 ? file : fmt::format("{}:{}", file, line);
}

std::string rule_text(const v1::Rule& rule) {
    const std::string place = place_text(rule.file(), rule.line());
    const std::string suffix = place.empty() ? "" : " (" + place + ")";
    if (rule.basis() == "isolation") return "isolated by " + join(rule.isolated_by()) + suffix;
    if (rule.basis() != "policy") return basis_text(rule);
    const std::string name =
        rule.namespace_().empty() ? rule.name() : rule.namespace_() + "/" + rule.name();
    return fmt::format("{} {} rule {}{}", rule.kind(), name, rule.index(), suffix);
}

std::string end_text(const v1::End& end, bool with_port) {
    std::string name = end.address();
    const bool is_bare = end.pod().empty() && end.node().empty();
    if (!end.pod().empty()) name = end.namespace_() + "/" + end.pod();
    if (end.pod().empty() && !end.node().empty()) name = "node/" + end.node();
    if (!with_port || end.port() == 0) return name;
    const bool needs_brackets = is_bare && name.find(':') != std::string::npos;
    return needs_brackets ? fmt::format("[{}]:{}", name, end.port())
                          : fmt::format("{}:{}", name, end.port());
}

std::string time_text(const google::protobuf::Timestamp& time) {
    const std::time_t seconds = time.seconds();
    std::tm parts{};
    localtime_r(&seconds, &parts);
    char text[32];
    const std::size_t length = std::strftime(text, sizeof text, "%H:%M:%S", &parts);
    return fmt::format("{}.{:03}", std::string_view(text, length), time.nanos() / 1'000'000);
}

std::string age_text(const google::protobuf::Timestamp& time) {
    const std::int64_t age = std::time(nullptr) - time.seconds();
    if (age < 60) return fmt::format("{}s", age);
    if (age < 3600) return fmt::format("{}m{:02}s", age / 60, age % 60);
    if (age < 86400) return fmt::format("{}h{:02}m", age / 3600, age % 3600 / 60);
    return fmt::format("{}d{:02}h", age / 86400, age % 86400 / 3600);
}

} // namespace weir::cli
