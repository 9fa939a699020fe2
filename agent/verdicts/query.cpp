// SPDX-License-Identifier: Apache-2.0
#include "agent/verdicts/query.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include "agent/flow/flow_record.h"

namespace weir {
namespace {

using Json = nlohmann::ordered_json;

// The string of a field; nothing when it is missing, and query.error when it is no string.
std::optional<std::string> text_of(FlowQuery& query, const char* field) {
    const auto found = query.input.find(field);
    if (found == query.input.end() || found->is_null()) return {};
    if (found->is_string()) return found->get<std::string>();
    query.error = fmt::format("{}: must be a string", field);
    return {};
}

std::string required(FlowQuery& query, const char* field) {
    auto text = text_of(query, field);
    if (text && !text->empty()) return *text;
    if (query.error.empty()) query.error = fmt::format("{}: missing", field);
    return {};
}

void read_port(FlowQuery& query) {
    const auto found = query.input.find("port");
    const bool is_integer = found != query.input.end() && found->is_number_integer();
    const std::int64_t port = is_integer ? found->get<std::int64_t>() : 0;
    if (port < 1 || port > 65535) {
        query.error = "port: must be a number between 1 and 65535";
        return;
    }
    query.port = static_cast<std::uint16_t>(port);
}

void read_protocol(FlowQuery& query) {
    const std::string text = text_of(query, "protocol").value_or("TCP");
    const auto protocol = protocol_number(text);
    const bool has_ports =
        protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
    if (has_ports) {
        query.protocol = *protocol;
    } else if (query.error.empty()) {
        query.error = fmt::format("protocol '{}': must be TCP, UDP or SCTP", text);
    }
}

void read_family(FlowQuery& query) {
    const auto text = text_of(query, "family");
    if (!text || text->empty()) return;
    if (*text == "IPv4" || *text == "IPv6") {
        query.is_v4 = *text == "IPv4";
    } else {
        query.error = fmt::format("family '{}': must be IPv4 or IPv6", *text);
    }
}

} // namespace

FlowQuery parse_query(const std::string& line) {
    FlowQuery query;
    query.input = Json::parse(line, nullptr, false);
    if (!query.input.is_object()) {
        query.input = Json::object();
        query.input["input"] = line;
        query.error = "not a JSON object";
        return query;
    }
    query.source = required(query, "src");
    query.destination = required(query, "dst");
    if (query.error.empty()) read_port(query);
    if (query.error.empty()) read_protocol(query);
    if (query.error.empty()) read_family(query);
    return query;
}

} // namespace weir
