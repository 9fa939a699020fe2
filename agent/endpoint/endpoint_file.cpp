// SPDX-License-Identifier: Apache-2.0
#include "agent/endpoint/endpoint_file.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "agent/file.h"

namespace weir {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr int kFormat = 1;

std::string mac_text(const Mac& mac) {
    return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2], mac[3],
                       mac[4], mac[5]);
}

// Throws what nlohmann throws for a value of the wrong type.
Mac parse_mac(const std::string& text) {
    Mac mac{};
    std::istringstream stream(text);
    for (auto& byte : mac) {
        unsigned value = 0;
        stream >> std::hex >> value;
        byte = static_cast<std::uint8_t>(value);
        stream.ignore(1);
    }
    return mac;
}

Json to_json(const std::vector<Address>& addresses) {
    Json texts = Json::array();
    for (const Address& address : addresses)
        texts.push_back(address.to_string());
    return texts;
}

std::vector<Address> parse_addresses(const std::vector<std::string>& texts) {
    std::vector<Address> addresses;
    for (const std::string& text : texts)
        if (const auto address = Address::parse(text)) addresses.push_back(*address);
    return addresses;
}

Json to_json(const Endpoint& endpoint) {
    return {{"namespace", endpoint.ns},
            {"name", endpoint.name},
            {"netns", endpoint.netns},
            {"interface", endpoint.interface},
            {"slot", endpoint.slot},
            {"hostIfindex", endpoint.link.host_ifindex},
            {"hostName", endpoint.link.host_name},
            {"hostMac", mac_text(endpoint.link.host_mac)},
            {"ifindex", endpoint.link.ifindex},
            {"mac", mac_text(endpoint.link.mac)},
            {"addresses", to_json(endpoint.link.addresses)},
            {"container", endpoint.container},
            {"network", endpoint.network},
            {"assigned", to_json(endpoint.assigned)}};
}

Endpoint from_json(const Json& json) {
    Endpoint endpoint;
    endpoint.ns = json.at("namespace");
    endpoint.name = json.at("name");
    endpoint.netns = json.at("netns");
    endpoint.interface = json.at("interface");
    endpoint.slot = json.at("slot");
    endpoint.link.host_ifindex = json.at("hostIfindex");
    endpoint.link.host_name = json.at("hostName");
    endpoint.link.host_mac = parse_mac(json.at("hostMac"));
    endpoint.link.ifindex = json.at("ifindex");
    endpoint.link.mac = parse_mac(json.at("mac"));
    endpoint.link.addresses = parse_addresses(json.at("addresses"));
    // Earlier versions did not have them.
    endpoint.container = json.value("container", "");
    endpoint.network = json.value("network", "");
    endpoint.assigned = parse_addresses(json.value("assigned", std::vector<std::string>()));
    return endpoint;
}

// Empty, or what is wrong with the endpoints as a whole.
std::string contradiction(const std::vector<Endpoint>& endpoints) {
    std::set<std::uint32_t> slots, interfaces;
    for (const Endpoint& endpoint : endpoints) {
        if (endpoint.slot >= WEIR_MAX_PODS) return endpoint.pod() + " has a slot out of range";
        if (!slots.insert(endpoint.slot).second) return "two endpoints have one slot";
        if (!interfaces.insert(endpoint.link.host_ifindex).second)
            return "two endpoints have one interface";
    }
    return {};
}

} // namespace

Result<> write_endpoints(const fs::path& file, const std::vector<Endpoint>& endpoints) {
    Json list = Json::array();
    for (const Endpoint& endpoint : endpoints)
        list.push_back(to_json(endpoint));
    const Json document = {{"format", kFormat}, {"endpoints", std::move(list)}};
    // A path that is no UTF-8 is written with replacements rather than not at all.
    const std::string text = document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
    return replace_file(file, text, 0600);
}

Result<std::vector<Endpoint>> read_endpoints(const fs::path& file) {
    std::vector<Endpoint> endpoints;
    std::ifstream stream(file);
    if (!stream) {
        if (errno == ENOENT) return endpoints;
        return failure_errno("read " + file.string());
    }
    std::string wrong;
    try {
        const Json document = Json::parse(stream);
        if (document.at("format").get<int>() != kFormat) wrong = "it has another format";
        for (const Json& json : document.at("endpoints"))
            endpoints.push_back(from_json(json));
    } catch (const Json::exception& exception) {
        wrong = exception.what();
    }
    if (wrong.empty()) wrong = contradiction(endpoints);
    if (wrong.empty()) return endpoints;
    return failure(
        file.string() + ": " + wrong +
        ": restore the file, or remove it, run `weir cleanup` and add the endpoints again");
}

} // namespace weir
