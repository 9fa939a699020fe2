// SPDX-License-Identifier: Apache-2.0
// `weir agent`: the daemon.
#include "agent/agent.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "agent/cli/command.h"
#include "agent/cli/map_memory.h"
#include "agent/cli/output.h"
#include "agent/config.h"
#include "agent/service/source_ports.h"

namespace weir::cli {
namespace {

std::string refuse_other_than_pair(const std::string& text) {
    const auto slash = text.find('/');
    const bool is_pair = slash != 0 && slash != std::string::npos && slash + 1 != text.size() &&
                         text.find('/', slash + 1) == std::string::npos;
    return text.empty() || is_pair ? "" : text + ": write NAMESPACE/NAME of the ConfigMap";
}

std::string refuse_other_than_ports(const std::string& text) {
    if (text == "auto") return "";
    const auto range = parse_port_range(text);
    return range ? "" : range.error().what;
}

} // namespace

void add_agent(CLI::App& app, Options& options) {
    CLI::App* command = app.add_subcommand("agent", "Enforce policy on this node (the daemon)");
    auto config = std::make_shared<Config>();
    auto services = std::make_shared<std::string>("off");
    auto events = std::make_shared<std::string>("on");
    auto status = std::make_shared<std::string>("on");
    config->node_name = default_node_name();
    auto* manifests =
        command->add_option("--manifests", config->manifests, "Folder of Kubernetes YAML, watched")
            ->envname("WEIR_MANIFESTS")
            ->type_name("DIR");
    auto* kubeconfig =
        command
            ->add_option("--kubeconfig", config->kubeconfig,
                         "Kubernetes API to watch; in a pod, neither: the cluster's own")
            ->envname("WEIR_KUBECONFIG")
            ->type_name("FILE")
            ->excludes(manifests);
    command->add_option("--context", config->context, "Context of the kubeconfig")
        ->type_name("NAME")
        ->needs(kubeconfig);
    command
        ->add_option("--api-server", config->api_servers,
                     "API servers of the own cluster, tried in this order; empty: its service "
                     "address, which needs somebody that serves it, as kube-proxy does")
        ->envname("WEIR_API_SERVER")
        ->type_name("HOST:PORT,...")
        ->delimiter(',')
        ->excludes(manifests)
        ->excludes(kubeconfig);
    command->add_option("--node-name", config->node_name, "Name of this node's Node object")
        ->envname("WEIR_NODE_NAME");
    command->add_option("--bpffs", options.bpffs, "Folder for pinned programs and maps")
        ->envname("WEIR_BPFFS")
        ->type_name("DIR");
    command->add_option("--http-address", config->http_address, "Of /metrics and health; none: off")
        ->envname("WEIR_HTTP_ADDRESS");
    command
        ->add_option("--admin-socket", config->admin_socket,
                     "Unix socket for the same, which `weir probe` asks; empty: off")
        ->envname("WEIR_ADMIN_SOCKET")
        ->type_name("PATH");
    command->add_flag("--take-over", config->takes_over,
                      "Let another agent of this node go on until this one can, then take over");
    command
        ->add_flag("--standby", config->stands_by,
                   "Wait until no other agent enforces; set by one that has yielded")
        ->group("");
    command
        ->add_option("--root-namespace", config->root_namespace,
                     "Where AuthorizationPolicies are for all namespaces")
        ->envname("WEIR_ROOT_NAMESPACE");
    command->add_option("--trust-domain", config->trust_domain, "Of workload identities")
        ->envname("WEIR_TRUST_DOMAIN");
    command->add_option("--flow-memory", config->flow_memory, "Bytes for recent flows")
        ->envname("WEIR_FLOW_MEMORY")
        ->transform(CLI::AsSizeValue(false))
        ->check(CLI::Range(std::size_t{64} << 10, std::size_t{4} << 30));
    add_map_memory(*command, config->map_memory);
    command
        ->add_option("--installation", config->installation,
                     "ConfigMap whose deletion says that Weir is uninstalled: stopped after that, "
                     "the agent takes it off the node; empty: what is enforced stays")
        ->envname("WEIR_INSTALLATION")
        ->type_name("NAMESPACE/NAME")
        ->check(CLI::Validator(refuse_other_than_pair, ""))
        ->excludes(manifests);
    command
        ->add_option("--services", *services,
                     "Balance the load of Services as well: when a process of this node connects "
                     "to one, or a pod sends it a packet, before kube-proxy, if there is one")
        ->envname("WEIR_SERVICES")
        ->check(CLI::IsMember({"on", "off"}));
    command
        ->add_option("--events", *events,
                     "Write an Event to the Kubernetes API on an object of which something cannot "
                     "be enforced")
        ->envname("WEIR_EVENTS")
        ->check(CLI::IsMember({"on", "off"}))
        ->excludes(manifests);
    command
        ->add_option("--status", *status,
                     "Write conditions to the status of cluster-wide policies, and of routes that "
                     "are attached to a Service")
        ->envname("WEIR_STATUS")
        ->check(CLI::IsMember({"on", "off"}))
        ->excludes(manifests);
    command
        ->add_option("--cgroup", config->cgroup,
                     "cgroup2 folder of the processes whose connections are balanced; empty: "
                     "where cgroup2 is mounted, all of them; none: only what pods send is "
                     "balanced, packet by packet")
        ->envname("WEIR_CGROUP")
        ->type_name("DIR");
    command
        ->add_option("--uplink", config->uplinks,
                     "Interface to the outside, for NodePorts, LoadBalancer and external "
                     "addresses, with --services on; several times; auto (the default): those of "
                     "the default routes; none: leave what comes in there alone")
        ->envname("WEIR_UPLINK")
        ->type_name("IFACE")
        ->delimiter(',');
    command
        ->add_option("--uplink-xdp", config->uplink_xdp,
                     "XDP on the uplinks: where the driver has it natively (auto; not on a veth), "
                     "or else fail (on), or the tc program alone (off)")
        ->envname("WEIR_UPLINK_XDP")
        ->check(CLI::IsMember({"auto", "on", "off"}));
    command
        ->add_option("--snat-ports", config->snat_ports,
                     "Source ports of this node for connections that it forwards to backends on "
                     "other nodes; auto: those above net.ipv4.ip_local_port_range")
        ->envname("WEIR_SNAT_PORTS")
        ->type_name("FIRST-LAST")
        ->check(CLI::Validator(refuse_other_than_ports, ""));
    command
        ->add_option(
            "--cni-conf-dir", config->cni_conf_dir,
            "Keep weir-cni chained in this folder's configuration (/etc/cni/net.d); empty: "
            "leave it alone")
        ->envname("WEIR_CNI_CONF_DIR")
        ->type_name("DIR");
    command->add_option("--cni-bin-dir", config->cni_bin_dir, "Where weir-cni is put for that")
        ->envname("WEIR_CNI_BIN_DIR")
        ->type_name("DIR");
    command
        ->add_option("--cni-cache-dir", config->cni_cache_dir,
                     "Protect the pods found there at the start (/var/lib/cni); empty: only those "
                     "that are added")
        ->envname("WEIR_CNI_CACHE_DIR")
        ->type_name("DIR");
    command->footer(
        "Ends on SIGTERM or SIGINT and leaves policy in force; `weir cleanup` takes it off.\n\n"
        "Examples:\n  weir agent --manifests /etc/weir/manifests\n"
        "  weir agent --kubeconfig /etc/weir/kubeconfig\n"
        "  weir agent --manifests ./demo --node-name n1 --run-dir /run/weir-n1 --bpffs "
        "/sys/fs/bpf/weir-n1\n"
        "  weir agent --manifests /etc/weir/manifests --services on");
    command->callback([config, services, events, status, &options] {
        config->has_services = *services == "on";
        config->has_events = *events == "on";
        config->has_status = *status == "on";
        config->run_dir = options.run_dir;
        config->bpffs = options.bpffs;
        const auto done = run_agent(*config);
        if (done) return;
        print_error(done.error().what);
        options.exit_status = kNegative;
    });
}

} // namespace weir::cli
