// SPDX-License-Identifier: Apache-2.0
// What a container runtime does with CNI plugins: runs the chain of a network configuration, hands
// each plugin the result of the one before, keeps the result of the last (in libcni's format), and
// undoes a chain that failed.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/lab.h"

namespace weir {

struct Sandbox {
    std::string container;
    std::string ns;
    std::string name;
    std::string uid;   // may be empty
    std::string netns; // path
    std::string interface = "eth0";
};

struct CniOutcome {
    bool is_ok = true;
    nlohmann::json result; // of the chain, or the error object of the plugin that failed
    std::string failed;    // that plugin
    std::chrono::microseconds last{0}; // how long the last plugin took

    int code() const { return is_ok ? 0 : result.value("code", -1); }
    std::string address(std::size_t index) const; // of the result's ips, without the prefix length
};

class CniRuntime {
public:
    // conflist: as in the file. Programs are weir-cni of this build and Debian's.
    CniRuntime(const LabNode& node, nlohmann::json conflist);

    CniOutcome add(const Sandbox& sandbox);
    CniOutcome del(const Sandbox& sandbox);
    CniOutcome check(const Sandbox& sandbox);
    CniOutcome status();
    CniOutcome gc(const std::vector<Sandbox>& valid);
    // weir-cni alone, after the result of another plugin.
    CniOutcome add_to(const nlohmann::json& result, const Sandbox& sandbox) const;

    std::string cache_directory() const { return node_.directory() + "/cni"; }
    const nlohmann::json& conflist() const { return conflist_; }

private:
    CniOutcome run(const nlohmann::json& plugin, const std::string& command, const Sandbox& sandbox,
                   const nlohmann::json& extra) const;
    std::string cache_file(const Sandbox& sandbox) const;
    nlohmann::json cached_result(const Sandbox& sandbox) const;

    const LabNode& node_;
    nlohmann::json conflist_;
};

// Configurations with weir-cni of the node's agent at the end, dual stack, addresses from
// host-local: 10.244.N.x and fd00:10:244:N::x, as the lab routes them.
nlohmann::json bridge_conflist(const LabNode& node, int number, const std::string& version);
nlohmann::json ptp_conflist(const LabNode& node, int number, const std::string& version);
nlohmann::json weir_plugin_of(const LabNode& node);

} // namespace weir
