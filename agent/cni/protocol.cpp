// SPDX-License-Identifier: Apache-2.0
#include "agent/cni/protocol.h"

#include <nlohmann/json.hpp>

namespace weir {
namespace {

using Json = nlohmann::json;

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json to_json(const CniAttachment& attachment) {
    return {{"container", attachment.container}, {"interface", attachment.interface}};
}

CniAttachment attachment_of(const Json& json) {
    return {.container = json.value("container", ""), .interface = json.value("interface", "")};
}

// The object that the text is, given to the function. Nothing when the text is no object or a
// member has another type.
template <typename Function>
auto read(std::string_view text, Function&& function)
    -> std::optional<decltype(function(std::declval<Json>()))> {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return std::nullopt;
    try {
        return function(json);
    } catch (const Json::exception&) { // a member of another type
        return std::nullopt;
    }
}

} // namespace

std::string encode(const CniRequest& request) {
    Json valid = Json::array();
    for (const auto& attachment : request.valid)
        valid.push_back(to_json(attachment));
    return dump({{"command", request.command},
                 {"network", request.network},
                 {"attachment", to_json(request.attachment)},
                 {"netns", request.netns},
                 {"podNamespace", request.pod_namespace},
                 {"podName", request.pod_name},
                 {"podUid", request.pod_uid},
                 {"addresses", request.addresses},
                 {"valid", std::move(valid)},
                 {"timeoutMs", request.timeout_ms}});
}

std::string encode(const CniReply& reply) {
    if (reply) return "{}";
    const CniError& error = reply.error();
    return dump(
        {{"error", {{"code", error.code}, {"msg", error.message}, {"details", error.details}}}});
}

std::optional<CniRequest> decode_request(std::string_view text) {
    return read(text, [](const Json& json) {
        CniRequest request;
        request.command = json.value("command", "");
        request.network = json.value("network", "");
        request.attachment = attachment_of(json.value("attachment", Json::object()));
        request.netns = json.value("netns", "");
        request.pod_namespace = json.value("podNamespace", "");
        request.pod_name = json.value("podName", "");
        request.pod_uid = json.value("podUid", "");
        request.addresses = json.value("addresses", std::vector<std::string>());
        for (const Json& valid : json.value("valid", Json::array()))
            request.valid.push_back(attachment_of(valid));
        request.timeout_ms = json.value("timeoutMs", std::uint32_t{0});
        return request;
    });
}

std::optional<CniReply> decode_reply(std::string_view text) {
    return read(text, [](const Json& json) -> CniReply {
        const auto error = json.find("error");
        if (error == json.end()) return {};
        return std::unexpected(CniError{.code = error->at("code"),
                                        .message = error->at("msg"),
                                        .details = error->value("details", "")});
    });
}

} // namespace weir
