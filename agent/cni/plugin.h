// SPDX-License-Identifier: Apache-2.0
// The CNI specification's side of weir-cni (versions 0.3.0 to 1.1.0), without its process:
// parameters and configuration in, what goes to standard output and the exit status out. The plugin
// makes no interface and gives no address: its result is that of the plugin before it.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "agent/cni/protocol.h"

namespace weir {

// The environment variables CNI_*, and standard input.
struct PluginInput {
    std::string command = {};
    std::string container = {};
    std::string netns = {};
    std::string interface = {};
    std::string args = {};
    std::string config = {};
};

struct PluginOutput {
    std::string text = {};
    int status = 0;

    bool operator==(const PluginOutput&) const = default;
};

// As call_agent().
using AgentCall = std::function<std::expected<CniReply, std::string>(
    const std::string& socket, const CniRequest&, std::chrono::milliseconds timeout)>;

PluginOutput run_plugin(const PluginInput& input, const AgentCall& call);

} // namespace weir
