// SPDX-License-Identifier: Apache-2.0
#include "agent/cni/cached_results.h"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kInterface = "eth0"; // of the cluster's network, by the kubelet's contract

// Before libcni 1.2 the namespace is known from the interface alone.
std::string netns_of(const Json& cached, const Json& result) {
    std::string netns = cached.value("netns", "");
    for (const Json& interface : result.value("interfaces", Json::array()))
        if (netns.empty() && interface.value("name", "") == kInterface)
            netns = interface.value("sandbox", "");
    return netns;
}

// Throws what nlohmann throws for a value of another type.
CniRequest request_of(const Json& cached) {
    CniRequest request{.command = "ADD",
                       .network = cached.at("networkName"),
                       .attachment = {cached.at("containerId"), cached.at("ifName")}};
    for (const Json& arg : cached.value("cniArgs", Json::array())) {
        if (arg.at(0) == "K8S_POD_NAMESPACE") request.pod_namespace = arg.at(1);
        if (arg.at(0) == "K8S_POD_NAME") request.pod_name = arg.at(1);
        if (arg.at(0) == "K8S_POD_UID") request.pod_uid = arg.at(1);
    }
    const Json result = cached.value("result", Json::object());
    request.netns = netns_of(cached, result);
    for (const Json& ip : result.value("ips", Json::array())) {
        const std::string text = ip.at("address");
        request.addresses.push_back(text.substr(0, text.find('/')));
    }
    return request;
}

} // namespace

std::optional<CniRequest> parse_cached_result(std::string_view text) {
    const Json cached = Json::parse(text, nullptr, false);
    try {
        if (!cached.is_object() || cached.value("kind", "") != "cniCacheV1") return std::nullopt;
        CniRequest request = request_of(cached);
        if (request.attachment.interface != kInterface || request.netns.empty() ||
            request.pod_name.empty() || request.pod_namespace.empty()) {
            return std::nullopt;
        }
        return request;
    } catch (const Json::exception&) { // another format
        return std::nullopt;
    }
}

std::vector<CniRequest> read_cached_results(const fs::path& folder) {
    std::vector<CniRequest> pods;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder / "results", none)) {
        std::ifstream file(entry.path(), std::ios::binary);
        const std::string text(std::istreambuf_iterator<char>(file), {});
        if (auto pod = parse_cached_result(text)) pods.push_back(std::move(*pod));
    }
    return pods;
}

} // namespace weir
