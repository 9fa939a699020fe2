// SPDX-License-Identifier: Apache-2.0
#include "agent/verdicts/query.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <array>
#include <nlohmann/json.hpp>

#include "agent/flow/flow_record.h"

namespace weir {
namespace {

using Json = nlohmann::ordered_json;

// What an answer adds. In the input, as when answers are judged again, they are not echoed.
constexpr std::array<const char*, 7> kAnswerFields{
    "verdict", "egress", "ingress", "egress_rule", "ingress_rule", "rule", "error"};

// The string of a field; nothing when it is missing, and query.error when it is no string.
std::optional<std::string> text_of(FlowQuery& query, const Json& input, const char* field) {
    const auto found = input.find(field);
    if (found == input.end() || found->is_null()) return {};
    if (found->is_string()) return found->get<std::string>();
    query.error = fmt::format("{}: must be a string", field);
    return {};
}

std::string required(FlowQuery& query, const Json& input, const char* field) {
    auto text = text_of(query, input, field);
    if (text && !text->empty()) return *text;
    if (query.error.empty()) query.error = fmt::format("{}: missing", field);
    return {};
}

void read_port(FlowQuery& query, const Json& input) {
    const auto found = input.find("port");
    const bool is_integer = found != input.end() && found->is_number_integer();
    const std::int64_t port = is_integer ? found->get<std::int64_t>() : 0;
    if (port < 1 || port > 65535) {
        query.error = "port: must be a number between 1 and 65535";
        return;
    }
    query.port = static_cast<std::uint16_t>(port);
}

void read_protocol(FlowQuery& query, const Json& input) {
    const std::string text = text_of(query, input, "protocol").value_or("TCP");
    const auto protocol = protocol_number(text);
    const bool has_ports =
        protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
    if (has_ports) {
        query.protocol = *protocol;
    } else if (query.error.empty()) {
        query.error = fmt::format("protocol '{}': must be TCP, UDP or SCTP", text);
    }
}

void read_family(FlowQuery& query, const Json& input) {
    const auto text = text_of(query, input, "family");
    if (!text || text->empty()) return;
    if (*text == "IPv4" || *text == "IPv6") {
        query.is_v4 = *text == "IPv4";
    } else {
        query.error = fmt::format("family '{}': must be IPv4 or IPv6", *text);
    }
}

// The object's text up to its closing brace: the user's own, unless fields must go.
std::string echo_of(const std::string& line, Json& input) {
    std::size_t erased = 0;
    for (const char* field : kAnswerFields)
        erased += input.erase(field);
    const std::string text = erased == 0 ? line : input.dump();
    return text.substr(0, text.rfind('}'));
}

} // namespace

FlowQuery parse_query(const std::string& line) {
    FlowQuery query;
    Json input = Json::parse(line, nullptr, false);
    if (!input.is_object()) {
        const Json answer = {{"input", line}};
        const auto replace = Json::error_handler_t::replace; // it may not even be UTF-8
        query.echo = answer.dump(-1, ' ', false, replace);
        query.echo.pop_back();
        query.error = "not a JSON object";
        return query;
    }
    query.echo = echo_of(line, input);
    query.has_fields = !input.empty();
    query.source = required(query, input, "src");
    query.destination = required(query, input, "dst");
    if (query.error.empty()) read_port(query, input);
    if (query.error.empty()) read_protocol(query, input);
    if (query.error.empty()) read_family(query, input);
    return query;
}

} // namespace weir
