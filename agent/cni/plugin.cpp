// SPDX-License-Identifier: Apache-2.0
#include "agent/cni/plugin.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

namespace weir {
namespace {

using Json = nlohmann::ordered_json; // the result goes on as it came

constexpr std::array<std::string_view, 5> kVersions = {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};
constexpr const char* kNewest = "1.1.0";
constexpr const char* kSocket = "/run/weir/cni.sock";
constexpr int kTimeout = 30; // seconds; the kubelet gives the whole chain minutes
constexpr int kMaxTimeout = 600;
constexpr std::chrono::seconds kAnswer{10}; // beyond what the agent was asked to wait

using Failure = std::unexpected<CniError>;
template <typename T>
using Checked = std::expected<T, CniError>;

Failure fail(std::uint32_t code, std::string message, std::string details = {}) {
    return Failure(CniError{code, std::move(message), std::move(details)});
}

std::string dump(const Json& json) {
    return json.dump(4, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool is_word(const Json& object, const char* member) {
    return object.contains(member) && object[member].is_string();
}

std::string word(const Json& object, const char* member, const std::string& fallback = {}) {
    return is_word(object, member) ? object[member].get<std::string>() : fallback;
}

Checked<Json> parse_config(const std::string& text) {
    Json config = Json::parse(text, nullptr, false);
    if (config.is_object()) return config;
    return fail(kCniDecode, "the network configuration on standard input is no JSON object");
}

Checked<void> check_version(const Json& config) {
    const std::string version = word(config, "cniVersion", "none");
    if (std::ranges::find(kVersions, version) != kVersions.end()) return {};
    return fail(kCniIncompatibleVersion, "cniVersion " + version + " is not supported",
                "set cniVersion of the network configuration to 0.3.0, 0.3.1, 0.4.0, 1.0.0 or "
                "1.1.0");
}

// "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web"
std::map<std::string, std::string> parse_args(const std::string& text) {
    std::map<std::string, std::string> args;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find(';', at), text.size());
        const std::size_t equals = text.find('=', at);
        if (equals < end)
            args[text.substr(at, equals - at)] = text.substr(equals + 1, end - equals - 1);
        at = end + 1;
    }
    return args;
}

Checked<void> require(const char* name, const std::string& value) {
    if (!value.empty()) return {};
    return fail(kCniInvalidEnvironment, std::string(name) + " is not set",
                "the container runtime sets it");
}

Checked<CniRequest> name_pod(CniRequest request, const PluginInput& input) {
    auto args = parse_args(input.args);
    request.pod_namespace = args["K8S_POD_NAMESPACE"];
    request.pod_name = args["K8S_POD_NAME"];
    request.pod_uid = args["K8S_POD_UID"];
    if (request.pod_namespace.empty() || request.pod_name.empty()) {
        return fail(kCniInvalidEnvironment, "CNI_ARGS names no K8S_POD_NAMESPACE and K8S_POD_NAME",
                    "this network is for pods of Kubernetes; give other containers another one");
    }
    return request;
}

// Whether the address may be one of the interface: plugins differ in what they tell.
bool is_of_interface(const Json& ip, const Json& interfaces, const std::string& interface) {
    if (!ip.contains("interface") || !ip["interface"].is_number_unsigned()) return true;
    const auto index = ip["interface"].get<std::size_t>();
    if (!interfaces.is_array() || index >= interfaces.size()) return true;
    const Json& owner = interfaces[index];
    if (!owner.is_object() || word(owner, "sandbox").empty()) return true;
    return word(owner, "name") == interface;
}

std::vector<std::string> addresses_of(const Json& result, const std::string& interface) {
    std::vector<std::string> addresses;
    const Json none = Json::array();
    const Json& interfaces = result.contains("interfaces") ? result["interfaces"] : none;
    const Json& ips = result.contains("ips") && result["ips"].is_array() ? result["ips"] : none;
    for (const Json& ip : ips) {
        if (!ip.is_object() || !is_of_interface(ip, interfaces, interface)) continue;
        const std::string text = word(ip, "address");
        addresses.push_back(text.substr(0, text.find('/')));
    }
    return addresses;
}

Checked<std::uint32_t> timeout_of(const Json& config) {
    if (!config.contains("timeoutSeconds")) return kTimeout * 1000;
    const Json& value = config["timeoutSeconds"];
    if (value.is_number_integer() && value.get<std::int64_t>() >= 1 &&
        value.get<std::int64_t>() <= kMaxTimeout) {
        return static_cast<std::uint32_t>(value.get<std::int64_t>() * 1000);
    }
    return fail(kCniInvalidConfig,
                "timeoutSeconds of the weir-cni plugin must be a whole number from 1 to 600");
}

std::vector<CniAttachment> valid_attachments(const Json& config) {
    std::vector<CniAttachment> valid;
    const Json none = Json::array();
    const auto found = config.find("cni.dev/valid-attachments");
    for (const Json& entry : found != config.end() && found->is_array() ? *found : none)
        if (entry.is_object()) valid.push_back({word(entry, "containerID"), word(entry, "ifname")});
    return valid;
}

// What one command does with the agent.
class Plugin {
public:
    Plugin(const PluginInput& input, const AgentCall& call, Json config)
        : input_(input), call_(call), config_(std::move(config)) {
        request_.command = input.command;
        request_.network = word(config_, "name");
        request_.attachment = {input.container, input.interface};
        request_.netns = input.netns;
    }

    // The text of a success.
    Checked<std::string> run() {
        if (input_.command == "ADD") return add();
        if (input_.command == "DEL") return del();
        if (input_.command == "CHECK") return check();
        if (input_.command == "STATUS") return ask(kCniNotAvailable);
        if (input_.command == "GC") {
            if (!config_.contains("cni.dev/valid-attachments")) {
                return fail(kCniInvalidConfig,
                            "GC without cni.dev/valid-attachments: nothing is removed");
            }
            request_.valid = valid_attachments(config_);
            return ask(kCniTryAgainLater);
        }
        return fail(kCniInvalidEnvironment, "unknown CNI_COMMAND " + input_.command,
                    "weir-cni knows ADD, DEL, CHECK, STATUS, GC and VERSION");
    }

private:
    Checked<std::string> add() {
        if (auto read = read_pod(); !read) return Failure(std::move(read.error()));
        const auto timeout = timeout_of(config_);
        if (!timeout) return Failure(timeout.error());
        request_.timeout_ms = *timeout;
        const Json& result = config_["prevResult"];
        request_.addresses = addresses_of(result, input_.interface);
        if (auto asked = ask(kCniTryAgainLater); !asked) return asked;
        Json passed_on = result;
        passed_on["cniVersion"] = config_["cniVersion"];
        return dump(passed_on);
    }

    // "Plugins should generally complete a DEL action without error even if some resources are
    // missing": what an absent agent cannot take off goes with the interface.
    Checked<std::string> del() {
        if (auto there = require_attachment(); !there) return Failure(std::move(there.error()));
        (void)call_(socket(), request_, kAnswer);
        return {};
    }

    Checked<std::string> check() {
        if (auto read = read_pod(); !read) return Failure(std::move(read.error()));
        return ask(kCniTryAgainLater);
    }

    Checked<void> require_attachment() const {
        if (auto there = require("CNI_CONTAINERID", input_.container); !there) return there;
        return require("CNI_IFNAME", input_.interface);
    }

    Checked<void> read_pod() {
        if (auto there = require_attachment(); !there) return there;
        if (auto there = require("CNI_NETNS", input_.netns); !there) return there;
        auto named = name_pod(std::move(request_), input_);
        if (!named) return Failure(std::move(named.error()));
        request_ = std::move(*named);
        if (config_.contains("prevResult") && config_["prevResult"].is_object()) return {};
        return fail(kCniInvalidConfig, "the network configuration has no prevResult",
                    "weir-cni is a chained plugin: put it after the one that makes the interface "
                    "(`weir install` does)");
    }

    Checked<std::string> ask(std::uint32_t code_when_absent) const {
        auto reply =
            call_(socket(), request_, std::chrono::milliseconds(request_.timeout_ms) + kAnswer);
        if (!reply) {
            return fail(code_when_absent,
                        "the Weir agent does not answer at " + socket() + ": " + reply.error(),
                        "no pod starts without its policy; start the agent, or look into its log "
                        "(kubectl logs, or journalctl -u weir)");
        }
        if (!*reply) return Failure(reply->error());
        return {};
    }

    std::string socket() const { return word(config_, "socket", kSocket); }

    const PluginInput& input_;
    const AgentCall& call_;
    Json config_;
    CniRequest request_;
};

PluginOutput versions(const std::string& asked_in) {
    Json answer;
    answer["cniVersion"] = asked_in;
    answer["supportedVersions"] = kVersions;
    return {dump(answer), 0};
}

PluginOutput output_of(const Checked<std::string>& outcome, const std::string& version) {
    if (outcome) return {*outcome, 0};
    Json error;
    error["cniVersion"] = version;
    error["code"] = outcome.error().code;
    error["msg"] = "weir-cni: " + outcome.error().message;
    if (!outcome.error().details.empty()) error["details"] = outcome.error().details;
    return {dump(error), 1};
}

} // namespace

PluginOutput run_plugin(const PluginInput& input, const AgentCall& call) {
    auto config = parse_config(input.config);
    if (!config) return output_of(Failure(config.error()), kNewest);
    const std::string version = word(*config, "cniVersion", kNewest);
    if (input.command == "VERSION") return versions(version);
    if (auto known = check_version(*config); !known) {
        return output_of(Failure(known.error()), kNewest);
    }
    return output_of(Plugin(input, call, std::move(*config)).run(), version);
}

} // namespace weir
