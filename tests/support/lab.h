// SPDX-License-Identifier: Apache-2.0
// A cluster on one machine: nodes as network namespaces with a `weir agent` each, pods with bridged
// or routed veths, hosts outside, and the folder of manifests that all agents read. Everything goes
// with the object, and also when the test program dies.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/lab_traffic.h"
#include "tests/support/netns.h"

namespace weir {

enum class Wiring { kBridged, kRouted };

struct LabHost {
    std::string name;
    std::string v4;
    std::string v6;
    std::unique_ptr<Netns> netns;
};

struct LabPort {
    std::string name;
    std::uint16_t port = 0;
    std::string protocol = "TCP";
    std::uint16_t host_port = 0; // 0: none
};

struct LabPod : LabHost {
    std::string ns;
    std::string node;
    std::string host_interface; // in the node's namespace
    std::map<std::string, std::string> labels;
    std::vector<LabPort> ports;

    std::string full_name() const { return ns + "/" + name; }
};

// A process that waits for the end of the test program, however it comes, and removes its
// namespaces and the directory. Does nothing when the object goes first.
class Undertaker {
public:
    explicit Undertaker(const std::string& directory);
    ~Undertaker();
    Undertaker(const Undertaker&) = delete;
    Undertaker& operator=(const Undertaker&) = delete;

private:
    int pipe_ = -1;
    pid_t pid_ = -1;
};

class LabNode : public LabHost {
public:
    const std::string& directory() const { return directory_; }
    std::string run_directory() const { return directory_ + "/run"; }
    std::string bpffs() const { return directory_ + "/bpffs/weir"; }
    std::string agent_log() const { return read_file(directory_ + "/agent.log"); }

    // Starts `weir agent`, with more options, and waits until it answers.
    void start_agent(const Arguments& options = {});
    // kill -9.
    void kill_agent();
    // SIGTERM; the exit status.
    int stop_agent();
    Arguments agent_command() const;
    pid_t agent_pid() const { return agent_.pid(); }

    // The command line against this node's agent; weir_json parses what -o json prints.
    CommandResult weir(Arguments arguments) const;
    nlohmann::json weir_json(Arguments arguments) const;
    // One object per line of `weir flows -o json`.
    std::vector<nlohmann::json> flows(Arguments filter = {}) const;
    std::string metrics() const;
    // Value of a metric whose line starts with the name (labels included); 0 when absent.
    double metric(const std::string& metric_name) const;
    std::uint32_t revision() const;

private:
    friend class Lab;

    Wiring wiring_ = Wiring::kBridged;
    int number_ = 0;
    std::string directory_;
    std::string manifests_;
    BackgroundProcess agent_;
};

class Lab {
public:
    Lab();
    ~Lab();
    Lab(const Lab&) = delete;
    Lab& operator=(const Lab&) = delete;

    // Node N has 172.18.0.1N and fd00:172:18::1N; its pods are 10.244.N.x and fd00:10:244:N::x.
    LabNode& add_node(const std::string& name, Wiring wiring);
    struct PodOptions {
        std::map<std::string, std::string> labels;
        std::vector<LabPort> ports;
        std::string v4; // empty: the next free ones of the node
        std::string v6;
    };
    LabPod& add_pod(LabNode& node, const std::string& full_name, PodOptions options);
    LabPod& add_pod(LabNode& node, const std::string& full_name) {
        return add_pod(node, full_name, PodOptions());
    }
    // A host beyond the nodes' network, behind a link of this MTU.
    LabHost& add_external(const std::string& name, const std::string& v4, const std::string& v6,
                          int mtu = 1500);
    // The pod's interfaces vanish, as when the container runtime removes its namespace.
    void remove_pod(const LabPod& pod);

    // `weir endpoint add` on the pod's node; false when it failed.
    CommandResult add_endpoint(const LabPod& pod);
    void start_agents();
    void add_endpoints();

    // Node, Namespace and Pod objects of everything that was added, as one manifest.
    void write_objects();
    void set_namespace_labels(const std::string& ns, std::map<std::string, std::string> labels);
    // A manifest in the folder, written in one step; without an object that agents know until
    // settle().
    void write_manifest(const std::string& name, const std::string& content);
    void remove_manifest(const std::string& name);
    const std::string& manifests() const { return manifests_; }
    // Until every running agent has in force what the folder held when it was called; false after
    // 10 s.
    bool settle();
    // write_manifest and settle.
    void apply(const std::string& name, const std::string& content);

    EchoServers& servers() { return servers_; }
    LabNode& node(const std::string& name);
    LabPod& pod(const std::string& full_name);
    const Netns& fabric() const { return *fabric_; }
    const std::vector<std::unique_ptr<LabPod>>& pods() const { return pods_; }

private:
    void wire_bridged(LabNode& node, LabPod& pod);
    void wire_routed(const Netns& router, const LabHost& host, const std::string& interface,
                     const LabHost* source, int mtu);

    TempDirectory directory_;
    Undertaker undertaker_;
    std::string manifests_;
    std::unique_ptr<Netns> fabric_;
    std::vector<std::unique_ptr<LabNode>> nodes_;
    std::vector<std::unique_ptr<LabPod>> pods_;
    std::vector<std::unique_ptr<LabHost>> externals_;
    std::map<std::string, std::map<std::string, std::string>> namespace_labels_;
    int settles_ = 0;
    EchoServers servers_;
};

// Polls until the condition holds; false after the time.
template <typename Condition>
bool eventually(Condition&& condition,
                std::chrono::milliseconds timeout = std::chrono::milliseconds(5000)) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
}

} // namespace weir
