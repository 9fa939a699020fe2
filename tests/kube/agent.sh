# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# An agent of node n1 against a real API server, both in namespaces that vanish with the test, and how
# its answers are asked for. Meant to be sourced by a test's script, with the script's arguments:
#   . agent.sh    (KUBE_PROGRAMS; WEIR_PROGRAM and WEIR_SOURCE_DIR as ctest sets them; root)
kube_folder=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=tests/kube/sandbox.sh
. "$kube_folder/sandbox.sh"

kube=$(readlink -f "$1")
weir=$WEIR_PROGRAM
data=$WEIR_SOURCE_DIR/tests/kube/testdata
export WEIR_RUN_DIR=$work/run
# shellcheck source=tests/kube/control_plane.sh
. "$kube_folder/control_plane.sh"
# shellcheck source=tests/kube/facts.sh
. "$kube_folder/facts.sh"
evidence() {
    weir_status | jq -c 'del(.counters, .maps)' || true
    tail -n 30 "$work/agent.log"
}

prepare() {
    mkdir -p "$work/bpffs"
    mount -t bpf bpf "$work/bpffs"
    ip link add br0 type bridge
    ip addr add 10.1.0.1/24 dev br0
    ip link set br0 up
    make_certificates
    start_etcd
    start_apiserver
    grant_role
    kubectl apply -f "$data/cluster.yaml" >/dev/null
    pod cart 10.1.0.2
    pod db 10.1.0.3
}

# pod NAME ADDRESS: a network namespace for it, and its status as the kubelet would write it
pod() {
    ip netns add "$1"
    ip link add "veth-$1" type veth peer name eth0 netns "$1"
    ip link set "veth-$1" master br0 up
    ip -n "$1" addr add "$2/24" dev eth0
    ip -n "$1" link set eth0 up
    pod_status shop "$1" "$2"
}
pod_status() {
    kubectl patch pod -n "$1" "$2" --subresource=status --type=merge \
        -p "{\"status\":{\"phase\":\"Running\",\"podIP\":\"$3\",\"podIPs\":[{\"ip\":\"$3\"}]}}" >/dev/null
}

start_agent() {
    "$weir" agent --kubeconfig "$work/kubeconfig" --node-name n1 --bpffs "$work/bpffs" \
        --http-address 127.0.0.1:9964 &>>"$work/agent.log" &
    agent=$!
}
stop_agent() {
    kill "$agent"
    wait "$agent" || true
}
# Exit status 1 says that nothing is in force, which is an answer too.
weir_status() { "$weir" status -o json 2>/dev/null || [ $? -eq 1 ]; }
status_is() { weir_status | jq -e "$1" >/dev/null 2>&1; }
ready() { status_is .ready; }
away() { status_is '.source_away_since'; }
here() { ready && ! away; }
unready() { status_is '.ready == false'; }
count_is() { status_is "[.objects[] | select(.kind == \"$1\")][0].count // 0 | tonumber == $2"; }
allowed() { "$weir" explain shop/cart "shop/db:$1" >/dev/null; }
denied() {
    local result=0
    "$weir" explain shop/cart "shop/db:$1" >/dev/null || result=$?
    [ $result -eq 1 ]
}

# The agent asked for nothing that its role does not grant: the API server counts what it refuses.
nothing_was_forbidden() {
    local refused
    refused=$(kubectl get --raw /metrics | grep '^apiserver_request_total.*code="403"' |
        grep -v 'resource=""' || true)
    [ -z "$refused" ] || fail "forbidden: $refused"
}

# A packet from pod to pod.
pings() { ip netns exec cart ping -c 1 -W 1 10.1.0.3 >/dev/null; }

# ---- the connection from agent to API server, which can be cut ----
relay_port=7443
start_relay() {
    setsid socat "TCP-LISTEN:$relay_port,fork,reuseaddr,bind=127.0.0.1" "TCP:127.0.0.1:$api_port" &
    relay=$!
}
stop_relay() {
    kill -9 -- "-$relay"
    wait "$relay" 2>/dev/null || true
}
