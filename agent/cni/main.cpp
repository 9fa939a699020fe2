// SPDX-License-Identifier: Apache-2.0
// `weir-cni`: the chained CNI plugin. Run by the container runtime for each pod sandbox; see
// `weir install`.
#include <cstdlib>
#include <exception>
#include <iostream>
#include <iterator>

#include "agent/cni/call.h"
#include "agent/cni/plugin.h"

namespace {

std::string environment(const char* name) {
    const char* const value = std::getenv(name);
    return value != nullptr ? value : "";
}

int run() {
    weir::PluginInput input{.command = environment("CNI_COMMAND"),
                            .container = environment("CNI_CONTAINERID"),
                            .netns = environment("CNI_NETNS"),
                            .interface = environment("CNI_IFNAME"),
                            .args = environment("CNI_ARGS")};
    if (input.command.empty()) { // a person's doing
        std::cerr << "weir-cni " WEIR_VERSION
                     ": a chained CNI plugin (0.3.0 to 1.1.0); the container runtime runs it.\n"
                     "Put it into the chain with `weir install`.\n";
        return 1;
    }
    input.config.assign(std::istreambuf_iterator<char>(std::cin), {});
    const auto output = weir::run_plugin(input, weir::call_agent);
    std::cout << output.text << std::flush;
    return output.status;
}

} // namespace

int main() {
    try {
        return run();
    } catch (const std::exception& error) { // a library's: ours are values
        std::cerr << "weir-cni: " << error.what() << '\n';
        std::cout
            << R"({"cniVersion": "1.1.0", "code": 999, "msg": "weir-cni: see standard error"})"
               "\n";
        return 1;
    }
}
