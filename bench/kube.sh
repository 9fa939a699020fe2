#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Speed against a real API server with a large cluster's objects: a pod's address in the maps after
# the API server has it, an agent's start on a node full of pods, and what the agent asks of the
# API server. No kubelet: the objects alone are real, and this node's pods.
#
# Usage: kube.sh KUBE_PROGRAMS [PODS [POLICIES]], with WEIR_PROGRAM and WEIR_SOURCE_DIR; root.
# It runs in namespaces of its own: whatever ends it ends all that it started.
set -euo pipefail
export WEIR_SANDBOX_ROOT=/var/tmp # etcd with 60,000 objects wants a disk
kube_folder=$(dirname "$(readlink -f "$0")")/../tests/kube
# shellcheck source=tests/kube/sandbox.sh
. "$kube_folder/sandbox.sh"

kube=$(readlink -f "$1")
export WEIR_PODS=${2:-30000}
policies=${3:-30000}
weir=$WEIR_PROGRAM
here=$WEIR_SOURCE_DIR/bench
export WEIR_RUN_DIR=$work/run
# shellcheck source=tests/kube/control_plane.sh
. "$kube_folder/control_plane.sh"
export WEIR_API=$api_address:$api_port WEIR_PKI=$work/pki

created_pods=200
idle_seconds=60
is_within_limits=true

fail() {
    printf 'kube.sh: %s\n' "$*" >&2
    tail -n 20 "$work/agent.log" >&2 || true
    exit 2
}
now() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }
# percentile SHARE: of the sorted latencies
percentile() { sed -n "$((created_pods * $1 / 100))p" "$work/latency" | cut -c 1-5; }
# figure NAME VALUE UNIT LIMIT NOTE, as weir-bench prints them
figure() {
    local word='<='
    if ! jq -en "$2 <= $4" >/dev/null; then word=OVER is_within_limits=false; fi
    printf '%-36s %10s %-28s %-4s %-8s %s\n' "$1" "$2" "$3" "$word" "$4" "$5"
}

prepare() {
    mkdir -p "$work/bpffs" "$work/cold"
    mount -t bpf bpf "$work/bpffs"
    mount -t bpf bpf "$work/cold"
    ip link add br0 type bridge
    ip addr add 10.0.0.1/8 dev br0
    ip link set br0 up
    make_certificates
    start_etcd
    cat >"$work/audit.yaml" <<'YAML'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, users: ["system:serviceaccount:weir:weir"]}
  - {level: None}
YAML
    apiserver_options+=(--audit-policy-file "$work/audit.yaml" --audit-log-path "$work/audit.log")
    start_apiserver
    grant_role
    write_token
    write_agent_kubeconfig "$server"
}

fill() {
    local begin
    begin=$(now)
    python3 "$here/kube_cluster.py" fill "$WEIR_PODS" "$policies"
    printf '%d pods and %d policies created in %d s\n' "$WEIR_PODS" "$policies" \
        $((($(now) - begin) / 1000)) >&2
}

# A network namespace for each of this node's pods.
make_pods() {
    python3 "$here/kube_cluster.py" local >"$work/pods"
    local name address number=0 netns
    while read -r name address; do
        netns=pod$((++number))
        ip netns add $netns
        ip link add "veth$number" type veth peer name eth0 netns $netns
        ip link set "veth$number" master br0 up
        ip -n $netns addr add "$address/8" dev eth0
        ip -n $netns link set eth0 up
    done <"$work/pods"
}
# start_agent BPFFS: returns when the agent says that it is ready
start_agent() {
    "$weir" agent --kubeconfig "$work/kubeconfig" --node-name n1 --bpffs "$1" \
        --http-address 127.0.0.1:9964 &>>"$work/agent.log" &
    agent=$!
    until curl -sf -o /dev/null http://127.0.0.1:9964/readyz; do
        kill -0 $agent 2>/dev/null || fail "the agent ended"
        sleep 0.01
    done
}
stop_agent() {
    kill $agent
    wait $agent || true
}
add_endpoints() {
    local name number=0
    while read -r name _; do
        "$weir" endpoint add "$name" --netns "/run/netns/pod$((++number))" >/dev/null
    done <"$work/pods"
}

# The first two pods, of which the second admits nothing.
closed_pod() {
    local name
    name=$(sed -n 2p "$work/pods" | cut -d ' ' -f 1)
    kubectl label pod -n "${name%/*}" "${name#*/}" closed=yes >/dev/null
    kubectl delete networkpolicy -n "${name%/*}" --all >/dev/null
    kubectl apply -f - >/dev/null <<YAML
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: ${name%/*}}
spec: {podSelector: {matchLabels: {closed: "yes"}}, policyTypes: [Ingress], ingress: []}
YAML
    sed -n 2p "$work/pods" | cut -d ' ' -f 2
}

measure_start() {
    local closed begin received
    closed=$(closed_pod)
    sleep 2
    ip netns exec pod1 ping -i 0.005 -W 1 "$closed" >"$work/ping" &
    local ping=$!
    sleep 1
    stop_agent
    begin=$(now)
    start_agent "$work/bpffs"
    figure kube_agent_restart $(($(now) - begin)) ms 3000 \
        "to ready, $(wc -l <"$work/pods") pods here, $WEIR_PODS in the cluster"
    sleep 1
    kill -INT $ping
    wait $ping || true
    received=$(sed -n 's/.*transmitted, \([0-9]*\) received.*/\1/p' "$work/ping")
    figure kube_agent_restart_open "$received" packets 0 \
        "to a closed pod meanwhile, of $(sed -n 's/ packets transmitted.*//p' "$work/ping")"
    stop_agent
    begin=$(now)
    start_agent "$work/cold"
    figure kube_agent_first_start $(($(now) - begin)) ms 3000 "the same without pinned maps"
    stop_agent
    start_agent "$work/bpffs"
}

measure_latency() {
    python3 "$here/kube_cluster.py" latency "$work/bpffs" $created_pods | sort -g >"$work/latency"
    figure kube_pod_in_force_p99 "$(percentile 99)" ms 20 \
        "of $created_pods pods created; median $(percentile 50)"
}

# asked JQ: how many requests of the agent's since it started the last time the filter selects, at
# most for one resource
asked() {
    jq -s --arg since "$asked_since" "map(select(.requestReceivedTimestamp >= \$since)) |
        [map(select($1)) | group_by(.objectRef.resource)[] | length] | max // 0" "$work/audit.log"
}
agent_megabytes() { awk "/^$1:/ { print int(\$2 / 1024) }" "/proc/$agent/status"; }
measure_requests() {
    stop_agent
    asked_since=$(date -u +%Y-%m-%dT%H:%M:%S)
    start_agent "$work/bpffs"
    sleep $idle_seconds
    figure kube_agent_resident "$(agent_megabytes VmRSS)" MB 150 \
        "after $idle_seconds s; peak $(agent_megabytes VmHWM)"
    figure kube_lists "$(asked '.verb == "list" and (.requestURI | contains("continue=") | not)')" \
        "a kind" 1 "pages: $(asked '.verb == "list"')"
    stop_agent # a watch is logged when it ends
    sleep 1
    figure kube_watches "$(asked '.verb == "watch" and .stage == "ResponseComplete"')" "a kind" 1 \
        "in $idle_seconds s"
    figure kube_other_requests "$(asked '.verb != "list" and .verb != "watch"')" "a kind" 0 \
        "in $idle_seconds s"
}

prepare
fill
make_pods
start_agent "$work/bpffs"
add_endpoints
measure_start
measure_latency
measure_requests
$is_within_limits
