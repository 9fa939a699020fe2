// SPDX-License-Identifier: Apache-2.0
#include "tests/support/lab.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace weir {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kPatience{10};
// The manifests of a large cluster are read before the agent answers.
constexpr std::chrono::seconds kStartPatience{60};

std::string numbered(const char* format, int node, int host) {
    char text[64];
    std::snprintf(text, sizeof(text), format, node, host);
    return text;
}

json pod_object(const LabPod& pod) {
    json ports = json::array();
    for (const auto& port : pod.ports) {
        json entry = {{"containerPort", port.port}, {"protocol", port.protocol}};
        if (!port.name.empty()) entry["name"] = port.name;
        if (port.host_port != 0) entry["hostPort"] = port.host_port;
        ports.push_back(entry);
    }
    const json container = {{"name", "main"}, {"image", "example/server"}, {"ports", ports}};
    return {{"apiVersion", "v1"},
            {"kind", "Pod"},
            {"metadata", {{"namespace", pod.ns}, {"name", pod.name}, {"labels", pod.labels}}},
            {"spec", {{"nodeName", pod.node}, {"containers", json::array({container})}}},
            {"status",
             {{"phase", "Running"},
              {"podIP", pod.v4},
              {"podIPs", json::array({{{"ip", pod.v4}}, {{"ip", pod.v6}}})}}}};
}

json node_object(const LabNode& node) {
    const json addresses = json::array({{{"type", "InternalIP"}, {"address", node.v4}},
                                        {{"type", "InternalIP"}, {"address", node.v6}}});
    return {{"apiVersion", "v1"},
            {"kind", "Node"},
            {"metadata", {{"name", node.name}}},
            {"status", {{"addresses", addresses}}}};
}

} // namespace

Undertaker::Undertaker(const std::string& directory) {
    const std::string script =
        "exec 2>/dev/null; read -r word && exit; for name in $(ip netns list | cut -d' ' -f1); do "
        "case $name in " +
        Netns::prefix() + "*) ip netns del $name ;; esac; done; for mount in " + directory +
        "/*/bpffs; do if mountpoint -q $mount; then umount -l $mount; fi; done; rm -rf " +
        directory;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
    pid_ = fork();
    if (pid_ == 0) {
        setsid(); // a Ctrl-C is for the test alone
        dup2(ends[0], 0);
        execlp("sh", "sh", "-c", script.c_str(), nullptr);
        _exit(127);
    }
    close(ends[0]);
    pipe_ = ends[1];
}

Undertaker::~Undertaker() {
    if (write(pipe_, "done\n", 5) != 5) std::perror("undertaker");
    close(pipe_);
    waitpid(pid_, nullptr, 0);
}

Arguments LabNode::agent_command() const {
    return {weir_program(), "--run-dir", run_directory(), "agent",       "--node-name",
            name,           "--bpffs",   bpffs(),         "--manifests", manifests_};
}

void LabNode::start_agent(const Arguments& options) {
    Arguments command = agent_command();
    command.insert(command.end(), options.begin(), options.end());
    agent_ = BackgroundProcess::start(command, directory_ + "/agent.log", netns->path());
    const bool is_up =
        eventually([&] { return weir({"status"}).ok() || !agent_.is_running(); }, kStartPatience);
    if (is_up && agent_.is_running()) return;
    std::fprintf(stderr, "the agent of %s does not answer:\n%s\n", name.c_str(),
                 agent_log().c_str());
    std::abort();
}

void LabNode::kill_agent() {
    agent_.end(SIGKILL);
}

int LabNode::stop_agent() {
    return agent_.end(SIGTERM);
}

CommandResult LabNode::weir(Arguments arguments) const {
    arguments.insert(arguments.begin(), {weir_program(), "--run-dir", run_directory()});
    return run_command(arguments, {.input = {}, .netns = netns->path()});
}

json LabNode::weir_json(Arguments arguments) const {
    arguments.insert(arguments.end(), {"-o", "json"});
    const auto result = weir(arguments);
    const auto answer = json::parse(result.out, nullptr, false);
    return answer.is_discarded() ? json::object() : answer;
}

std::vector<json> LabNode::flows(Arguments filter) const {
    filter.insert(filter.begin(), "flows");
    filter.insert(filter.end(), {"-o", "json"});
    std::istringstream lines(weir(filter).out);
    std::vector<json> flows;
    for (std::string line; std::getline(lines, line);)
        flows.push_back(json::parse(line, nullptr, false));
    return flows;
}

std::string LabNode::metrics() const {
    return http_get(*netns, "127.0.0.1", 9964, "/metrics");
}

double LabNode::metric(const std::string& metric_name) const {
    std::istringstream lines(metrics());
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(metric_name + " "))
            return std::stod(line.substr(metric_name.size() + 1));
    return 0;
}

std::uint32_t LabNode::revision() const {
    return weir_json({"status"}).value("revision", std::uint32_t{0});
}

Lab::Lab() : undertaker_(directory_.path()), manifests_(directory_.path() + "/manifests") {
    std::filesystem::create_directory(manifests_);
    fabric_ = std::make_unique<Netns>("fabric");
    fabric_->ip(
        "link add lan type bridge mcast_snooping 0\n"
        "addr add 172.18.0.1/24 dev lan\n"
        "addr add fd00:172:18::1/64 dev lan nodad\n"
        "link set lan up\n");
}

Lab::~Lab() {
    for (const auto& node : nodes_) {
        node->agent_.end(SIGKILL);
        umount2((node->directory_ + "/bpffs").c_str(), MNT_DETACH);
    }
}

LabNode& Lab::add_node(const std::string& name, Wiring wiring) {
    auto node = std::make_unique<LabNode>();
    const int number = static_cast<int>(nodes_.size()) + 1;
    node->name = name;
    node->number_ = number;
    node->wiring_ = wiring;
    node->v4 = "172.18.0.1" + std::to_string(number);
    node->v6 = "fd00:172:18::1" + std::to_string(number);
    node->manifests_ = manifests_;
    node->directory_ = directory_.path() + "/" + name;
    node->netns = std::make_unique<Netns>(name);
    node->netns->ip("link add uplink type veth peer name up" + std::to_string(number) + " netns " +
                    fabric_->name() + "\naddr add " + node->v4 + "/24 dev uplink\naddr add " +
                    node->v6 + "/64 dev uplink nodad\nlink set uplink up\n" +
                    "route add default via 172.18.0.1\nroute add default via fd00:172:18::1\n");
    fabric_->ip("link set up" + std::to_string(number) + " master lan up\n" + "route add " +
                numbered("10.244.%d.%d/24", number, 0) + " via " + node->v4 + "\nroute add " +
                numbered("fd00:10:244:%d::%x/64", number, 0) + " via " + node->v6 + "\n");
    if (wiring == Wiring::kBridged)
        node->netns->ip("link add pods type bridge mcast_snooping 0\naddr add " +
                        numbered("10.244.%d.%d/24", number, 1) + " dev pods\naddr add " +
                        numbered("fd00:10:244:%d::%x/64", number, 1) +
                        " dev pods nodad\nlink set pods up\n");
    std::filesystem::create_directories(node->directory_ + "/bpffs");
    if (mount("bpf", (node->directory_ + "/bpffs").c_str(), "bpf", 0, nullptr) != 0) {
        std::perror("mount bpffs");
        std::abort();
    }
    nodes_.push_back(std::move(node));
    return *nodes_.back();
}

LabPod& Lab::add_pod(LabNode& node, const std::string& full_name, PodOptions options) {
    auto pod = std::make_unique<LabPod>();
    const int number = static_cast<int>(pods_.size()) + 1;
    const auto slash = full_name.find('/');
    pod->ns = full_name.substr(0, slash);
    pod->name = full_name.substr(slash + 1);
    pod->node = node.name;
    pod->labels = std::move(options.labels);
    pod->ports = std::move(options.ports);
    pod->v4 = options.v4.empty() ? numbered("10.244.%d.%d", node.number_, 9 + number) : options.v4;
    pod->v6 =
        options.v6.empty() ? numbered("fd00:10:244:%d::%x", node.number_, 9 + number) : options.v6;
    pod->host_interface = "pod" + std::to_string(number);
    pod->netns = std::make_unique<Netns>("p" + std::to_string(number));
    if (node.wiring_ == Wiring::kBridged)
        wire_bridged(node, *pod);
    else
        wire_routed(*node.netns, *pod, pod->host_interface, &node, 1500);
    namespace_labels_.try_emplace(pod->ns);
    pods_.push_back(std::move(pod));
    return *pods_.back();
}

void Lab::wire_bridged(LabNode& node, LabPod& pod) {
    node.netns->ip("link add " + pod.host_interface + " type veth peer name eth0 netns " +
                   pod.netns->name() + "\nlink set " + pod.host_interface + " master pods up\n");
    pod.netns->ip("addr add " + pod.v4 + "/24 dev eth0\naddr add " + pod.v6 +
                  "/64 dev eth0 nodad\nlink set eth0 up\nroute add default via " +
                  numbered("10.244.%d.%d", node.number_, 1) + "\nroute add default via " +
                  numbered("fd00:10:244:%d::%x", node.number_, 1) + "\n");
}

void Lab::wire_routed(const Netns& router, const LabHost& host, const std::string& interface,
                      const LabHost* source, int mtu) {
    const std::string from4 = source != nullptr ? " src " + source->v4 : "";
    const std::string from6 = source != nullptr ? " src " + source->v6 : "";
    const std::string size = " mtu " + std::to_string(mtu);
    router.ip("link add " + interface + size + " type veth peer name eth0 netns " +
              host.netns->name() + size + "\naddr add 169.254.1.1/32 dev " + interface +
              "\naddr add fe80::1/64 dev " + interface + " nodad\nlink set " + interface +
              " up\nroute add " + host.v4 + "/32 dev " + interface + from4 + "\nroute add " +
              host.v6 + "/128 dev " + interface + from6 + "\n");
    host.netns->ip("addr add " + host.v4 + "/32 dev eth0\naddr add " + host.v6 +
                   "/128 dev eth0 nodad\nlink set eth0 up\nroute add 169.254.1.1 dev eth0\n"
                   "route add default via 169.254.1.1 src " +
                   host.v4 + "\nroute add default via fe80::1 dev eth0\n");
}

LabHost& Lab::add_external(const std::string& name, const std::string& v4, const std::string& v6,
                           int mtu) {
    auto host = std::make_unique<LabHost>();
    host->name = name;
    host->v4 = v4;
    host->v6 = v6;
    host->netns = std::make_unique<Netns>("x" + std::to_string(externals_.size()));
    wire_routed(*fabric_, *host, "ext" + std::to_string(externals_.size()), nullptr, mtu);
    externals_.push_back(std::move(host));
    return *externals_.back();
}

void Lab::remove_pod(const LabPod& pod) {
    node(pod.node).netns->ip("link del " + pod.host_interface + "\n");
    std::erase_if(pods_, [&](const auto& other) { return other.get() == &pod; });
}

CommandResult Lab::add_endpoint(const LabPod& pod) {
    return node(pod.node).weir({"endpoint", "add", pod.full_name(), "--netns", pod.netns->path()});
}

void Lab::start_agents() {
    for (const auto& node : nodes_)
        node->start_agent();
}

void Lab::add_endpoints() {
    for (const auto& pod : pods_) {
        const auto added = add_endpoint(*pod);
        if (added.ok()) continue;
        std::fprintf(stderr, "endpoint add %s: %s\n", pod->full_name().c_str(), added.err.c_str());
        std::abort();
    }
}

void Lab::write_objects() {
    json items = json::array();
    for (const auto& node : nodes_)
        items.push_back(node_object(*node));
    for (const auto& [ns, labels] : namespace_labels_)
        items.push_back({{"apiVersion", "v1"},
                         {"kind", "Namespace"},
                         {"metadata", {{"name", ns}, {"labels", labels}}}});
    for (const auto& pod : pods_)
        items.push_back(pod_object(*pod));
    write_manifest("cluster.json",
                   json{{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}}.dump(1));
}

void Lab::set_namespace_labels(const std::string& ns, std::map<std::string, std::string> labels) {
    namespace_labels_[ns] = std::move(labels);
}

void Lab::write_manifest(const std::string& name, const std::string& content) {
    write_file(manifests_ + "/" + name, content);
}

void Lab::remove_manifest(const std::string& name) {
    std::filesystem::remove(manifests_ + "/" + name);
}

bool Lab::settle() {
    const std::string mark = "mark-" + std::to_string(++settles_);
    write_manifest("settle.yaml",
                   "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: "
                   "weir-lab, name: " +
                       mark + "}\nspec: {podSelector: {}}\n");
    return std::all_of(nodes_.begin(), nodes_.end(), [&](const auto& node) {
        if (!node->agent_.is_running()) return true;
        return eventually([&] { return node->weir({"policy", "show", "weir-lab/" + mark}).ok(); },
                          kPatience);
    });
}

void Lab::apply(const std::string& name, const std::string& content) {
    write_manifest(name, content);
    if (settle()) return;
    for (const auto& node : nodes_)
        std::fprintf(stderr, "%s:\n%s\n", node->name.c_str(), node->agent_log().c_str());
    std::abort();
}

LabNode& Lab::node(const std::string& name) {
    return **std::find_if(nodes_.begin(), nodes_.end(),
                          [&](const auto& node) { return node->name == name; });
}

LabPod& Lab::pod(const std::string& full_name) {
    return **std::find_if(pods_.begin(), pods_.end(),
                          [&](const auto& pod) { return pod->full_name() == full_name; });
}

} // namespace weir
