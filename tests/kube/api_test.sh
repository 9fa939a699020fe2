#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The agent follows a real API server: objects come, change and go; the watch is cut, the API server
# restarts, etcd forgets, the token is rotated, a definition appears later, ten thousand objects
# come. Each answer is asked of the agent's own commands.
#
# Usage: api_test.sh KUBE_PROGRAMS, with WEIR_PROGRAM and WEIR_SOURCE_DIR as ctest sets them; root.
# It runs in namespaces of its own: whatever ends it ends all that it started.
set -euo pipefail
if [ -z "${WEIR_KUBE_WORK:-}" ]; then
    WEIR_KUBE_WORK=$(mktemp -d /tmp/weir-kube-XXXXXX)
    export WEIR_KUBE_WORK
    unshare --net --mount --pid --fork --kill-child bash "$(readlink -f "$0")" "$@" &
    inside=$!
    # With the one process that made them, the namespaces and all that runs in them are gone.
    trap 'kill -9 $inside 2>/dev/null || true; wait $inside 2>/dev/null || true; rm -rf "$WEIR_KUBE_WORK"' EXIT
    trap 'exit 130' INT TERM HUP
    wait $inside
    exit
fi

kube=$(readlink -f "$1")
weir=$WEIR_PROGRAM
data=$WEIR_SOURCE_DIR/tests/kube/testdata
work=$WEIR_KUBE_WORK
export WEIR_RUN_DIR=$work/run
# shellcheck source=tests/kube/control_plane.sh
. "$WEIR_SOURCE_DIR/tests/kube/control_plane.sh"

started=${EPOCHREALTIME/[.,]/}
say() {
    local ms=$(((${EPOCHREALTIME/[.,]/} - started) / 1000))
    printf '%4d.%03d  %s\n' $((ms / 1000)) $((ms % 1000)) "$*"
}
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    { weir_status | jq -c 'del(.counters, .maps)' || true; tail -n 30 "$work/agent.log"; } >&2
    exit 1
}
# within SECONDS WHAT COMMAND...: the command succeeds in time, which WHAT says
within() {
    local seconds=$1 what=$2 deadline
    shift 2
    deadline=$((EPOCHSECONDS + seconds))
    until "$@"; do
        [ "$EPOCHSECONDS" -lt "$deadline" ] || fail "$what, within $seconds s"
        sleep 0.1
    done
    say "$what"
}

prepare() {
    mount -t proc proc /proc
    mount -t tmpfs tmpfs /run
    mkdir -p /run/netns "$work/bpffs"
    mount -t bpf bpf "$work/bpffs"
    ip link set lo up
    ip link add br0 type bridge
    ip addr add 10.1.0.1/24 dev br0
    ip link set br0 up
    make_certificates
    start_etcd
    start_apiserver
    kubectl apply -f "$data/rbac.yaml" -f "$data/cluster.yaml" >/dev/null
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

# The agent's identity is the service account alone, with the role in rbac.yaml.
write_token() {
    kubectl create token -n weir weir >"$work/token.new"
    mv "$work/token.new" "$work/token"
}
write_kubeconfig() {
    cat >"$work/kubeconfig" <<YAML
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: weir}}]
clusters: [{name: test, cluster: {server: "$1", certificate-authority: pki/ca.crt}}]
users: [{name: weir, user: {tokenFile: token}}]
YAML
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

test_objects() {
    say "objects come, change and go"
    start_agent
    within 20 "the first revision is in force" here
    "$weir" endpoint add shop/cart --netns /run/netns/cart >/dev/null
    "$weir" endpoint add shop/db --netns /run/netns/db >/dev/null
    within 5 "without a policy the database is reached" allowed 5432
    pings || fail "by packets too"
    kubectl apply -f "$data/deny.yaml" >/dev/null
    within 5 "a policy denies" denied 5432
    kubectl apply -f "$data/allow.yaml" >/dev/null
    within 5 "its new version allows one port" allowed 5432
    denied 5433 || fail "and no other port"
    kubectl label pod -n shop cart app=other --overwrite >/dev/null
    within 5 "a pod that is labelled differently is denied" denied 5432
    kubectl label pod -n shop cart app=cart --overwrite >/dev/null
    within 5 "and let in again" allowed 5432
    kubectl create namespace other >/dev/null
    within 5 "a namespace comes" count_is Namespace "$(($(kubectl get namespaces -o name | wc -l)))"
    kubectl delete networkpolicy -n shop db >/dev/null
    within 5 "the policy is deleted" allowed 5433
    kubectl apply -f "$data/deny.yaml" >/dev/null
    within 5 "and there again" denied 5433
}

test_cut() {
    say "the connection is cut"
    stop_relay
    within 10 "the status says that the API is away" away
    curl -s http://127.0.0.1:9964/readyz | grep -q "^ok; Kubernetes API .* is away since " ||
        fail "/readyz says since when"
    denied 5432 || fail "the last state is enforced"
    kubectl apply -f "$data/allow.yaml" >/dev/null
    denied 5432 || fail "nothing is known of the change yet"
    start_relay
    within 40 "what changed meanwhile is in force" allowed 5432
    within 40 "and the API is not away any more" here
}

test_restart() {
    say "the API server restarts"
    stop_apiserver
    within 10 "the API is away" away
    allowed 5432 || fail "the last state is enforced"
    start_apiserver
    within 60 "it is back" here
    kubectl apply -f "$data/deny.yaml" >/dev/null
    within 5 "and followed" denied 5432
}

test_gone() {
    say "etcd forgets the version of the watch"
    stop_relay
    within 10 "the API is away" away
    kubectl delete networkpolicy -n shop db >/dev/null
    compact_etcd
    stop_apiserver # its watch cache remembers what etcd does not
    start_apiserver
    start_relay
    within 60 "what was deleted meanwhile is gone" allowed 5433
    within 60 "the API is back" here
    kubectl apply -f "$data/deny.yaml" >/dev/null
    within 5 "and followed" denied 5432
}

test_token() {
    say "the token is rotated"
    kubectl delete serviceaccount -n weir weir >/dev/null # its tokens die with it
    kubectl apply -f "$data/rbac.yaml" >/dev/null
    sleep 11 # for so long the API server remembers that it was good
    stop_relay
    start_relay
    within 20 "the old token is not accepted" status_is \
        '.source_away_reason | contains("401")'
    write_token
    within 40 "the new one in the file is" here
}

test_definition() {
    say "a definition appears later"
    kubectl apply -f "$data/allow.yaml" >/dev/null
    within 5 "allowed before" allowed 5432
    kubectl apply -f "$data/clusternetworkpolicy-crd.yaml" >/dev/null
    within 10 "the kind is served" kubectl get clusternetworkpolicies -o name
    kubectl apply -f "$data/cluster-deny.yaml" >/dev/null
    within 15 "a cluster policy denies" denied 5432
    kubectl delete crd clusternetworkpolicies.policy.networking.k8s.io >/dev/null
    within 30 "with its definition the policy goes" allowed 5432
}

# Every verb and resource that the agent asked for was granted, and nothing else is needed.
test_rbac() {
    say "RBAC"
    kubectl patch clusterrole weir --type=json \
        -p '[{"op":"remove","path":"/rules/1"}]' >/dev/null
    stop_relay
    start_relay
    within 20 "a missing right is named" status_is \
        '.source_away_reason | contains("networkpolicies.networking.k8s.io")'
    denied 5433 || fail "the last state is enforced"
    kubectl apply -f "$data/rbac.yaml" >/dev/null
    within 60 "granted again" here
}

test_many() {
    say "ten thousand more pods"
    local i
    for ((i = 0; i < 10000; ++i)); do
        printf 'next\nurl = "%s/api/v1/namespaces/other/pods"\ndata = "%s"\nheader = "%s"\noutput = /dev/null\n' \
            "$server" "{\\\"metadata\\\":{\\\"name\\\":\\\"p$i\\\",\\\"labels\\\":{\\\"app\\\":\\\"p\\\"}},\\\"spec\\\":{\\\"containers\\\":[{\\\"name\\\":\\\"c\\\",\\\"image\\\":\\\"none\\\"}]}}" \
            "Content-Type: application/json"
        printf 'cacert = "%s"\ncert = "%s"\nkey = "%s"\nsilent\n' \
            "$pki/ca.crt" "$pki/admin.crt" "$pki/admin.key"
    done | sed 1d >"$work/pods.curl"
    curl --parallel --parallel-max 8 -K "$work/pods.curl" 2>/dev/null
    say "they are created"
    within 30 "all are known" count_is Pod 10002
    kubectl apply -f "$data/deny.yaml" >/dev/null
    within 5 "a policy is followed as before" denied 5432
}

# Policy survives an agent; the next one enforces nothing before it has read everything.
test_agent_restart() {
    say "the agent restarts while the API is away"
    stop_agent
    stop_relay
    kubectl delete networkpolicy -n shop db >/dev/null
    start_agent
    within 10 "it answers, and is not ready before everything is read" unready
    local refusal
    refusal=$("$weir" endpoint add shop/late --netns /run/netns/cart 2>&1) &&
        fail "no endpoint is admitted"
    [[ $refusal == *"try again"* ]] || fail "the refusal is one to try again: $refusal"
    [ "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9964/readyz)" = 503 ] ||
        fail "/readyz is 503"
    pings && fail "what was in force is in force"
    write_kubeconfig "https://[::1]:$api_port" # read again, and by IPv6 this time
    within 40 "everything is read" here
    within 5 "and in force" allowed 5432
    stop_agent
    start_agent
    within 40 "an agent that starts with ten thousand pods is ready" here
    say "with ten thousand pods, resident memory: $(awk '/VmRSS|VmHWM/ { print $1, $2, $3 }' "/proc/$agent/status" | xargs)"
}

prepare
write_token
write_kubeconfig https://127.0.0.1:$relay_port
start_relay
for test in objects cut restart gone token definition rbac many agent_restart; do
    "test_$test"
done
stop_agent
say "passed"
