#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The first process of a node of cluster.sh's: makes the namespaces it was started in look like a
# machine of its own, then runs containerd, the kubelet and kube-proxy.
#
# Usage: node.sh "weir-cluster-node WORK NODE" (one word, by which cluster.sh finds the process), with
# WEIR_KUBE (the programs), WEIR_CGROUP (name of the node's control group) and WEIR_KUBE_PROXY (true or
# false: whether kube-proxy runs).
set -euo pipefail
read -r _ work name <<<"$1"
kube=$WEIR_KUBE
cgroup=$WEIR_CGROUP
index=${name##*[!0-9]}
state=$work/$name

# Paths that belong to a machine: its own copy of /etc, empty folders for the rest.
make_mounts() {
    local folder
    mount --make-rprivate /
    mount --make-rshared /
    cp -a /etc "$state/etc"
    mkdir -p "$state"/{var-lib,var-log,opt/cni/bin,cgroup,etc/cni/net.d}
    mount --rbind /sys/fs/cgroup "$state/cgroup"
    mount -t sysfs sysfs /sys
    mount --rbind "$state/cgroup" /sys/fs/cgroup
    mount -t bpf bpf /sys/fs/bpf
    mount -t proc proc /proc
    mount -t tmpfs tmpfs /run
    mkdir -p /run/lock /run/netns "$state/var-lib/kubelet"
    for folder in etc opt; do mount --bind "$state/$folder" /$folder; done
    for folder in lib log; do mount --bind "$state/var-$folder" /var/$folder; done
    hostname "$name"
    echo "$name" >/etc/hostname
    echo "nameserver 192.0.2.53" >/etc/resolv.conf # nobody: the node resolves no names
    printf '127.0.0.1 localhost\n::1 localhost\n172.30.0.1%s %s\n' "$index" "$name" >/etc/hosts
}

# All processes of the node are below one group of the unified hierarchy, so that BPF programs that
# are attached to it see this node alone: /run/cgroup2. In the others, if there are any, its pods are.
enter_cgroups() {
    local tree group controllers trees=(/sys/fs/cgroup /sys/fs/cgroup/*/)
    mkdir -p /run/cgroup2
    if [[ $(stat -f -c %T "${trees[@]}") != *cgroup2fs* ]]; then
        mount -t cgroup2 cgroup2 /run/cgroup2
        trees+=(/run/cgroup2)
    fi
    for tree in "${trees[@]}"; do
        tree=${tree%/}
        [ -f "$tree/cgroup.procs" ] || continue
        mkdir -p "$tree/$cgroup"
        if [ -f "$tree/cpuset.cpus" ]; then
            cat "$tree/cpuset.cpus" >"$tree/$cgroup/cpuset.cpus"
            cat "$tree/cpuset.mems" >"$tree/$cgroup/cpuset.mems"
        fi
        [ "$(stat -f -c %T "$tree")" = cgroup2fs ] || continue
        controllers=$(cat "$tree/cgroup.controllers") group=$tree/$cgroup
        if [ -n "$controllers" ]; then # the only hierarchy: groups with controllers hold no process
            for group in "$tree" "$tree/$cgroup"; do
                echo "+${controllers// / +}" >"$group/cgroup.subtree_control"
            done
            group=$tree/$cgroup/system
            mkdir -p "$group"
        fi
        echo $$ >"$group/cgroup.procs"
        mount --bind "$tree/$cgroup" /run/cgroup2
    done
}

make_network() {
    until ip link show eth0 &>/dev/null; do sleep 0.02; done
    ip link set lo up
    sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
        net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
    ip addr add "172.30.0.1$index/24" dev eth0
    ip addr add "fd30::1$index/64" dev eth0 nodad
    ip link set eth0 up
    # The other node's pods; the fabric knows the way, but it is one hop more.
    local other=$((3 - index))
    ip route add "10.244.$other.0/24" via "172.30.0.1$other"
    ip route add "fd24:0:0:$other::/64" via "fd30::1$other"
    ip route add default via 172.30.0.1
    ip route add default via fd30::1
}

write_cni() {
    cp /usr/lib/cni/{bridge,host-local,loopback,portmap} /opt/cni/bin/
    cat >/etc/cni/net.d/10-cluster.conflist <<JSON
{
  "cniVersion": "1.0.0",
  "name": "cluster",
  "plugins": [
    {
      "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
      "ipam": {
        "type": "host-local",
        "ranges": [[{"subnet": "10.244.$index.0/24"}], [{"subnet": "fd24:0:0:$index::/64"}]],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
JSON
}

start_containerd() {
    mkdir -p /etc/containerd
    cat >/etc/containerd/config.toml <<'TOML'
version = 3
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "registry.k8s.io/pause:3.10.1"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true # the host lacks CAP_SYS_RESOURCE
TOML
    PATH=$kube:$PATH "$kube/containerd" --config /etc/containerd/config.toml &>>"$work/$name-containerd.log" &
    until "$kube/ctr" version &>/dev/null; do sleep 0.1; done
    local archive
    for archive in "$kube"/images/*.tar; do
        "$kube/ctr" --namespace k8s.io images import --local "$archive" >/dev/null
    done
}

start_kubelet() {
    cat >/etc/kubelet.yaml <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {x509: {clientCAFile: $state/ca.crt}, anonymous: {enabled: false}, webhook: {enabled: true}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup
failCgroupV1: false
failSwapOn: false
makeIPTablesUtilChains: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
resolvConf: /etc/resolv.conf
staticPodPath: /etc/kubernetes/manifests
imageGCHighThresholdPercent: 100
evictionHard: {nodefs.available: 1%, imagefs.available: 1%, memory.available: 50Mi}
registerNode: true
nodeStatusUpdateFrequency: 2s
maxPods: 250
serializeImagePulls: false
registryPullQPS: 0
kubeAPIQPS: 100
kubeAPIBurst: 200
YAML
    mkdir -p /etc/kubernetes/manifests
    while :; do # as a service manager would: whoever ends it gets it back
        "$kube/kubelet" --config /etc/kubelet.yaml --kubeconfig "$state/kubelet.kubeconfig" \
            --hostname-override "$name" --node-ip "172.30.0.1$index,fd30::1$index" || true
        sleep 0.2
    done &>>"$work/$name-kubelet.log" &
}

start_kube_proxy() {
    cat >/etc/kube-proxy.yaml <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: $name
clusterCIDR: 10.244.0.0/16,fd24::/48
clientConnection: {kubeconfig: $state/kube-proxy.kubeconfig}
conntrack: {maxPerCore: 0, min: 0}
YAML
    "$kube/kube-proxy" --config /etc/kube-proxy.yaml &>>"$work/$name-kube-proxy.log" &
}

make_mounts
enter_cgroups
make_network
write_cni
start_containerd
start_kubelet
if $WEIR_KUBE_PROXY; then start_kube_proxy; fi
wait
