// SPDX-License-Identifier: Apache-2.0
// How commands print: JSON lines for programs, words and colours for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/cli/table.h"

namespace google::protobuf {
class Message;
class Timestamp;
} // namespace google::protobuf

namespace weir::v1 {
class End;
class Rule;
} // namespace weir::v1

namespace weir::cli {

// Standard output is a terminal and NO_COLOR is not set (no-color.org).
bool is_colourful();

// One line: proto field names, fields with default values included.
void print_json(const google::protobuf::Message& message);

// "weir: " and the message on standard error.
void print_error(std::string_view message);

Cell verdict_cell(const std::string& verdict);
std::string rule_text(const v1::Rule& rule);
std::string end_text(const v1::End& end, bool with_port = true);
std::string place_text(const std::string& file, std::uint32_t line); // "file:line", may be empty
std::string time_text(const google::protobuf::Timestamp& time);      // local, milliseconds
std::string age_text(const google::protobuf::Timestamp& time);       // "3h12m"

} // namespace weir::cli
