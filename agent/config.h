// SPDX-License-Identifier: Apache-2.0
// What `weir agent` can be told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "loader/map_budget.h"
#include "policy/mesh_names.h"

namespace weir {

struct Config {
    std::string manifests;                        // folder of the desired state, or ...
    std::string kubeconfig;                       // ... of the API that has it, or both empty: the
                                                  // API of the cluster that this is a pod of
    std::string context;                          // of the kubeconfig; empty: its current one
    std::vector<std::string> api_servers;         // of the own cluster, HOST:PORT; empty: as the
                                                  // service says
    std::string root_namespace = "istio-system";  // whose AuthorizationPolicies are for all
    std::string trust_domain = "cluster.local";   // of workload identities
    std::string node_name;                        // name of this node's Node object
    std::string bpffs = "/sys/fs/bpf/weir";       // pins
    std::string run_dir = "/run/weir";            // socket, lock, endpoints
    std::string http_address = "127.0.0.1:9964";  // /metrics and health; "none": off
    std::string admin_socket;                     // the same on a unix socket; empty: off
    bool takes_over = false;                      // asks a running agent to yield
    bool stands_by = false;                       // waits for the one that it yielded to
    std::size_t flow_memory = 16u << 20;          // bytes for recent flows
    std::uint64_t map_memory = kDefaultMapMemory; // bytes for all maps, full
    std::string installation;                     // "NAMESPACE/NAME" of the ConfigMap that is there
                                                  // as long as Weir is; empty: it stays
    std::string cni_conf_dir;                     // where weir-cni is kept chained; empty: nowhere
    std::string cni_bin_dir = "/opt/cni/bin";     // where weir-cni is put
    bool has_services = false;                    // --services on: load balancing as well
    bool has_events = true;                       // writes Events to the API
    bool has_status = true;                       // and status conditions
    std::string cgroup;                          // of the processes whose connections are balanced;
                                                 // empty: the root, all of them; "none": none
    std::vector<std::string> uplinks = {"auto"}; // interfaces to the outside; "auto": of the
                                                 // default routes; "none": left alone
    std::string uplink_xdp = "auto";             // "on": or fail; "off": the tc program alone
    std::string snat_ports = "auto";             // "FIRST-LAST"
    std::string cni_cache_dir;                   // results of earlier pods; empty: not read
};

MeshNames mesh_names(const Config& config);

// The host's name, which is what the kubelet calls the node unless told otherwise.
std::string default_node_name();

} // namespace weir
