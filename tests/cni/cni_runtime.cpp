// SPDX-License-Identifier: Apache-2.0
#include "tests/cni/cni_runtime.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

namespace weir {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::string find_program(const std::string& type) {
    for (const fs::path& folder :
         {fs::path(weir_program()).parent_path(), fs::path("/usr/lib/cni")})
        if (fs::exists(folder / type)) return folder / type;
    std::fprintf(stderr, "no CNI plugin %s: ./dev deps test installs them\n", type.c_str());
    std::abort();
}

json host_local(const LabNode& node, int number) {
    const std::string n = std::to_string(number);
    const json v4 = {{"subnet", "10.244." + n + ".0/24"}};
    const json v6 = {{"subnet", "fd00:10:244:" + n + "::/64"}};
    return {{"type", "host-local"},
            {"dataDir", node.directory() + "/ipam"},
            {"ranges", json::array({json::array({v4}), json::array({v6})})},
            {"routes", json::array({{{"dst", "0.0.0.0/0"}}, {{"dst", "::/0"}}})}};
}

json conflist_with(const LabNode& node, const std::string& version, json plugin) {
    return {{"cniVersion", version},
            {"name", "cluster"},
            {"plugins", json::array({std::move(plugin), weir_plugin_of(node)})}};
}

} // namespace

std::string CniOutcome::address(std::size_t index) const {
    const std::string text = result["ips"][index]["address"];
    return text.substr(0, text.find('/'));
}

CniRuntime::CniRuntime(const LabNode& node, json conflist)
    : node_(node), conflist_(std::move(conflist)) {
    fs::create_directories(cache_directory() + "/results");
}

CniOutcome CniRuntime::run(const json& plugin, const std::string& command, const Sandbox& sandbox,
                           const json& extra) const {
    json config = plugin;
    config["name"] = conflist_["name"];
    config["cniVersion"] = conflist_["cniVersion"];
    config.update(extra);
    const std::string type = plugin["type"];
    const std::string uid = sandbox.uid.empty() ? "" : ";K8S_POD_UID=" + sandbox.uid;
    const auto start = std::chrono::steady_clock::now();
    const auto ran =
        run_command({"env", "CNI_COMMAND=" + command, "CNI_CONTAINERID=" + sandbox.container,
                     "CNI_NETNS=" + sandbox.netns, "CNI_IFNAME=" + sandbox.interface,
                     "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=" + sandbox.ns +
                         ";K8S_POD_NAME=" + sandbox.name + uid,
                     "CNI_PATH=/usr/lib/cni", find_program(type)},
                    {.input = config.dump(), .netns = node_.netns->path()});
    CniOutcome outcome;
    outcome.last = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - start);
    outcome.is_ok = ran.ok();
    outcome.result = json::parse(ran.out, nullptr, false);
    if (!outcome.is_ok) outcome.failed = type;
    return outcome;
}

CniOutcome CniRuntime::add(const Sandbox& sandbox) {
    CniOutcome outcome;
    json extra = json::object();
    for (const json& plugin : conflist_["plugins"]) {
        outcome = run(plugin, "ADD", sandbox, extra);
        if (!outcome.is_ok) {
            del(sandbox); // "the runtime must clean up with DEL"
            return outcome;
        }
        extra["prevResult"] = outcome.result;
    }
    const json args = json::array({json::array({"K8S_POD_NAMESPACE", sandbox.ns}),
                                   json::array({"K8S_POD_NAME", sandbox.name}),
                                   json::array({"K8S_POD_UID", sandbox.uid})});
    write_file(cache_file(sandbox), json{{"kind", "cniCacheV1"},
                                         {"containerId", sandbox.container},
                                         {"ifName", sandbox.interface},
                                         {"networkName", conflist_["name"]},
                                         {"netns", sandbox.netns},
                                         {"cniArgs", args},
                                         {"result", outcome.result}}
                                        .dump());
    return outcome;
}

CniOutcome CniRuntime::del(const Sandbox& sandbox) {
    json extra = json::object();
    if (const json result = cached_result(sandbox); !result.is_null()) extra["prevResult"] = result;
    CniOutcome outcome;
    for (auto plugin = conflist_["plugins"].rbegin(); plugin != conflist_["plugins"].rend();
         ++plugin) {
        outcome = run(*plugin, "DEL", sandbox, extra);
        if (!outcome.is_ok) return outcome;
    }
    fs::remove(cache_file(sandbox));
    return outcome;
}

CniOutcome CniRuntime::check(const Sandbox& sandbox) {
    CniOutcome outcome;
    for (const json& plugin : conflist_["plugins"]) {
        outcome = run(plugin, "CHECK", sandbox, {{"prevResult", cached_result(sandbox)}});
        if (!outcome.is_ok) return outcome;
    }
    return outcome;
}

// Debian's plugins are older than these two commands.
CniOutcome CniRuntime::status() {
    return run(conflist_["plugins"].back(), "STATUS", {}, json::object());
}

CniOutcome CniRuntime::gc(const std::vector<Sandbox>& valid) {
    json attachments = json::array();
    for (const Sandbox& sandbox : valid)
        attachments.push_back({{"containerID", sandbox.container}, {"ifname", sandbox.interface}});
    return run(conflist_["plugins"].back(), "GC", {}, {{"cni.dev/valid-attachments", attachments}});
}

CniOutcome CniRuntime::add_to(const json& result, const Sandbox& sandbox) const {
    return run(conflist_["plugins"].back(), "ADD", sandbox, {{"prevResult", result}});
}

std::string CniRuntime::cache_file(const Sandbox& sandbox) const {
    return cache_directory() + "/results/cluster-" + sandbox.container + "-" + sandbox.interface;
}

json CniRuntime::cached_result(const Sandbox& sandbox) const {
    const json cached = json::parse(read_file(cache_file(sandbox)), nullptr, false);
    return cached.is_object() ? cached["result"] : json();
}

json weir_plugin_of(const LabNode& node) {
    return {{"type", "weir-cni"},
            {"socket", node.run_directory() + "/cni.sock"},
            {"timeoutSeconds", 2}};
}

json bridge_conflist(const LabNode& node, int number, const std::string& version) {
    return conflist_with(node, version,
                         {{"type", "bridge"},
                          {"bridge", "pods"},
                          {"isGateway", true},
                          {"ipam", host_local(node, number)}});
}

json ptp_conflist(const LabNode& node, int number, const std::string& version) {
    return conflist_with(node, version, {{"type", "ptp"}, {"ipam", host_local(node, number)}});
}

} // namespace weir
