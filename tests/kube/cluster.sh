#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A real Kubernetes of two nodes on one machine: etcd, API server, controller manager and scheduler in
# one network namespace, each node in namespaces of its own with containerd, kubelet and kube-proxy.
# All of it lives below one process: when that is gone, so is the cluster.
#
#   WEIR_CLUSTER  folder of its state and logs (/var/tmp/weir-cluster); a second cluster needs another
#   WEIR_KUBE     folder of the programs that build.sh made
#   WEIR_CLUSTER_OWNER  a process with whose end, however it comes, the cluster ends (none)
set -euo pipefail
self=$(readlink -f "$0")
here=$(dirname "$self")
work=${WEIR_CLUSTER:-/var/tmp/weir-cluster}
nodes=(node1 node2)

usage() {
    cat <<'HELP'
usage: ./dev cluster COMMAND

  up [--without-kube-proxy]
                       start the cluster and wait until both nodes are Ready
  down                 end it and everything in it
  status               whether it runs, its nodes and the folder of its logs
  kubectl ARG...       kubectl as the cluster's administrator
  helm ARG...          helm likewise
  load FILE.tar...     import images into both nodes
  node NODE CMD...     run a command in a node's namespaces (node1, node2)
  outside CMD...       run a command beside the nodes: in the network that they share
HELP
}
say() { printf '==> %s\n' "$*" >&2; }
die() {
    printf 'cluster: %s\n' "$*" >&2
    exit 1
}

# The outermost process of the cluster, and those of the nodes, as the host numbers them.
is_up() { [ -s "$work/pid" ] && kill -0 "$(cat "$work/pid")" 2>/dev/null; }
need_up() { is_up || die "not running: ./dev cluster up"; }
inner() { pgrep -P "$1" | head -n 1; } # unshare --fork: its child is the first of the namespaces
outside_pid() { inner "$(cat "$work/pid")"; }
node_pid() { inner "$(pgrep -o -f "weir-cluster-node $work $1\$")"; }

outside() { nsenter --target "$(outside_pid)" --net --mount --pid -- "$@"; }
node() {
    local pid
    pid=$(node_pid "$1")
    [ -n "$pid" ] || die "no node $1 (${nodes[*]})"
    shift
    # A process of the node in this too: what is attached to the node's control group sees it.
    # shellcheck disable=SC2016  # the inner shell's
    nsenter --target "$pid" --net --mount --uts --ipc --pid --root --wd -- sh -c '
        group=/run/cgroup2
        [ ! -d $group/system ] || group=$group/system
        echo 0 >$group/cgroup.procs
        exec "$@"' sh "$@"
}
kubectl() { outside "$kube/kubectl" --kubeconfig "$work/admin.kubeconfig" "$@"; }

# What kubelets and kube-proxies set for the whole machine is put back when the cluster is gone.
sysctls=(vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys
    kernel.keys.root_maxbytes)
save_sysctls() { for name in "${sysctls[@]}"; do sysctl "$name" 2>/dev/null || true; done >"$work/sysctls"; }
restore_sysctls() { [ ! -f "$work/sysctls" ] || sysctl -q -p "$work/sysctls" 2>/dev/null || true; }

# The nodes' control groups are all that outlives their processes.
remove_cgroups() {
    local name tree deadline=$((EPOCHSECONDS + 5)) unified=$work/cgroup2
    mkdir -p "$unified"
    mount -t cgroup2 cgroup2 "$unified" # the host may have it nowhere
    for name in "${nodes[@]}"; do
        for tree in "$unified" /sys/fs/cgroup/*/; do
            tree=${tree%/}/$(cgroup_name "$name")
            # A process that is dying still holds its group.
            while [ -d "$tree" ] && [ "$EPOCHSECONDS" -lt $deadline ]; do
                find "$tree" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
            done
        done
    done
    umount "$unified"
}
cgroup_name() { echo "weir-$(echo "$work" | cksum | cut -d ' ' -f 1)-$1"; }

clean() {
    local pid
    if [ -s "$work/pid" ]; then
        pid=$(cat "$work/pid")
        kill -9 "$pid" 2>/dev/null || true
        while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    fi
    # --kill-child: with unshare goes the first process of its namespaces, and the rest with that.
    pkill -9 -f "weir-cluster-node $work " 2>/dev/null || true
    restore_sysctls
    remove_cgroups
    rm -rf --one-file-system "$work"
}

up() {
    local deadline
    export WEIR_KUBE_PROXY=true
    case ${1:-} in
    '') ;;
    --without-kube-proxy) WEIR_KUBE_PROXY=false ;;
    *) die "up: no option $1 (--without-kube-proxy)" ;;
    esac
    is_up && die "it runs already: ./dev cluster status"
    [ -x "$kube/kubelet" ] || die "no programs in $kube: tests/kube/build.sh $kube api cluster"
    clean
    mkdir -p "$work"
    save_sysctls
    say "starting the control plane and ${#nodes[@]} nodes; logs are in $work"
    WEIR_CLUSTER=$work WEIR_KUBE=$kube setsid unshare --net --mount --pid --fork --kill-child \
        "$self" inside >"$work/cluster.log" 2>&1 </dev/null &
    echo $! >"$work/pid"
    if [ -n "${WEIR_CLUSTER_OWNER:-}" ]; then
        setsid "$self" outlive "$WEIR_CLUSTER_OWNER" &>/dev/null </dev/null &
    fi
    trap 'say "interrupted"; clean; exit 130' INT TERM HUP
    deadline=$((EPOCHSECONDS + 120))
    until kubectl wait --for condition=Ready node "${nodes[@]}" --timeout 5s >/dev/null 2>&1; do
        is_up || die "it ended: $(tail -n 5 "$work/cluster.log")"
        [ "$EPOCHSECONDS" -lt $deadline ] ||
            die "the nodes are not Ready after 120 s: see $work/*.log, then ./dev cluster down"
        sleep 0.2
    done
    trap - INT TERM HUP
    say "both nodes are Ready"
}

outlive() {
    tail --pid "$1" -f /dev/null
    clean
}

status() {
    need_up
    echo "logs: $work/*.log"
    kubectl get nodes -o wide
}

# ---- inside the namespaces of the control plane ----

# All nodes and the control plane hang on one bridge: 172.30.0.0/24 and fd30::/64.
make_network() {
    local i
    mount -t proc proc /proc
    mount -t tmpfs tmpfs /run
    mkdir -p /run/netns
    ip link set lo up
    sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    ip link add fabric type bridge
    ip addr add 172.30.0.1/24 dev fabric
    ip addr add fd30::1/64 dev fabric nodad
    ip link set fabric up
    for ((i = 1; i <= ${#nodes[@]}; ++i)); do
        ip route add "10.244.$i.0/24" via "172.30.0.1$i"
        ip route add "fd24:0:0:$i::/64" via "fd30::1$i"
    done
}

start_node() {
    local name=$1 index=$2 pid
    WEIR_CGROUP=$(cgroup_name "$name")
    export WEIR_CGROUP
    unshare --net --mount --uts --ipc --pid --fork --kill-child \
        "$here/node.sh" "weir-cluster-node $work $name" &>"$work/$name.log" </dev/null &
    until pid=$(pgrep -P $!) && [ -n "$pid" ]; do sleep 0.02; done
    ip link add "port$index" type veth peer name eth0 netns "$pid"
    ip link set "port$index" master fabric up
}

inside() {
    local i
    export api_address=172.30.0.1
    # shellcheck source=tests/kube/control_plane.sh
    . "$here/control_plane.sh"
    apiserver_options=() # there is a controller manager
    make_network
    make_certificates
    start_etcd
    start_apiserver
    write_kubeconfig "$work/admin.kubeconfig" admin
    for ((i = 1; i <= ${#nodes[@]}; ++i)); do
        make_node_identity "${nodes[i - 1]}" "$i"
        start_node "${nodes[i - 1]}" "$i"
    done
    start_controllers
    wait
}

[ "$(id -u)" -eq 0 ] || die "needs root: sudo ./dev cluster"
kube=${WEIR_KUBE:-$(dirname "$(dirname "$here")")/build/kube}
case ${1:---help} in
up | status | inside | outlive) "$@" ;;
down)
    clean
    say "nothing is left of it"
    ;;
kubectl | outside | node)
    need_up
    "$@"
    ;;
helm)
    need_up
    shift
    outside env HOME="$work" KUBECONFIG="$work/admin.kubeconfig" "$kube/helm" "$@"
    ;;
load)
    need_up
    shift
    for file in "$@"; do
        for name in "${nodes[@]}"; do
            node "$name" "$kube/ctr" --namespace k8s.io images import --local - <"$file"
        done
    done
    ;;
-h | --help | help) usage ;;
*)
    usage >&2
    die "no command $1"
    ;;
esac
