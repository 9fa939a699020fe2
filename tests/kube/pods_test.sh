#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The ways in which pods live and die, from a real API server: host network, completed, terminating,
# recreated, static; addresses that pass from one to another; a second interface; a node's address
# that changes; a pod whose object the watch has not brought. weir-cni is run as the runtime does.
#
# Usage: pods_test.sh KUBE_PROGRAMS, with WEIR_PROGRAM and WEIR_SOURCE_DIR as ctest sets them; root.
# It runs in namespaces of its own: whatever ends it ends all that it started.
set -euo pipefail
# shellcheck source=tests/kube/agent.sh
. "$(dirname "$(readlink -f "$0")")/agent.sh"

# make_pod NAME APP [SPEC [ANNOTATIONS]]: the object alone, in node n1 unless the spec says otherwise
make_pod() {
    kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $1, namespace: shop, labels: {app: $2}, annotations: {${4:-}}}
spec: {${3:-nodeName: n1}, containers: [{name: c, image: none}]}
YAML
}
uid_of() { kubectl get pod -n shop "$1" -o jsonpath='{.metadata.uid}'; }
delete_pod() { kubectl delete pod -n shop "$1" --grace-period=0 --force >/dev/null 2>&1; }
# Whether an address reaches the database's port 5432.
admitted() { "$weir" explain "$1" shop/db:5432 >/dev/null; }
refused() {
    local result=0
    "$weir" explain "$1" shop/db:5432 >/dev/null || result=$?
    [ $result -eq 1 ]
}
endpoint_count_is() {
    [ "$("$weir" endpoint list -o json | jq '.endpoints | length')" = "$1" ]
}

# sandbox NAME ADDRESS: a namespace as the plugin before weir-cni leaves it
sandbox() {
    ip netns add "$1"
    ip link add "veth-$1" type veth peer name eth0 netns "$1"
    ip link set "veth-$1" master br0 up
    ip -n "$1" addr add "$2/24" dev eth0
    ip -n "$1" link set eth0 up
}
# cni COMMAND SANDBOX POD UID [INTERFACE [SECONDS]]: its answer; what it prints goes to cni.out
cni() {
    CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=${5:-eth0} CNI_PATH=/ \
        CNI_ARGS="K8S_POD_NAMESPACE=shop;K8S_POD_NAME=$3;K8S_POD_UID=$4" \
        "$(dirname "$weir")/weir-cni" >"$work/cni.out" <<JSON
{"cniVersion": "1.0.0", "name": "cluster", "type": "weir-cni", "socket": "$WEIR_RUN_DIR/cni.sock",
 "timeoutSeconds": ${6:-20}, "prevResult": {"cniVersion": "1.0.0", "ips": []}}
JSON
}
code_is() { [ "$(jq .code "$work/cni.out")" = "$1" ] || fail "code $1: $(cat "$work/cni.out")"; }

test_host_network() {
    say "a pod of the host's network is its node"
    kubectl apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Node
metadata: {name: n2}
YAML
    make_pod host cart "nodeName: n2, hostNetwork: true"
    make_pod plain cart "nodeName: n2"
    pod_status shop host 10.1.0.9
    pod_status shop plain 10.1.0.8
    within 5 "a pod with these labels is let in" admitted 10.1.0.8
    refused 10.1.0.9 || fail "the node's address has the pod's labels"
}

test_completed() {
    say "a completed pod's address is free"
    kubectl patch pod -n shop plain --subresource=status --type=merge \
        -p '{"status":{"phase":"Succeeded"}}' >/dev/null
    within 5 "its address has its labels no more" refused 10.1.0.8
    make_pod heir cart "nodeName: n2"
    pod_status shop heir 10.1.0.8
    within 5 "another pod has it" admitted 10.1.0.8
    delete_pod plain
    within 5 "the old object is gone" count_is Pod 4
    admitted 10.1.0.8 || fail "the address stays the new pod's"
}

test_terminating() {
    say "a terminating pod is what it was"
    kubectl patch pod -n shop heir --type=merge \
        -p '{"metadata":{"finalizers":["weir.test/hold"]}}' >/dev/null
    kubectl delete pod -n shop heir --wait=false >/dev/null
    kubectl label namespace shop seen=1 >/dev/null # something that is known later
    within 5 "it terminates" terminates heir
    admitted 10.1.0.8 || fail "its connections last until it ends"
    make_pod thief other "nodeName: n2"
    kubectl patch pod -n shop heir --subresource=status --type=merge \
        -p '{"status":{"phase":"Failed"}}' >/dev/null
    pod_status shop thief 10.1.0.8
    within 5 "its address is another's before it is gone" refused 10.1.0.8
    kubectl patch pod -n shop heir --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null
    delete_pod thief
}
terminates() { [ -n "$(kubectl get pod -n shop "$1" -o jsonpath='{.metadata.deletionTimestamp}')" ]; }

test_recreated() {
    say "a pod that comes again under its name is another"
    local first second
    make_pod web cart
    first=$(uid_of web)
    sandbox web1 10.1.0.11
    cni ADD web1 web "$first" || fail "ADD: $(cat "$work/cni.out")"
    within 5 "it is let in by its labels" admitted shop/web
    # The kubelet knows the new pod before the agent does: the old object is not taken for it.
    second=00000000-0000-4000-8000-000000000001
    sandbox web2 10.1.0.12
    cni ADD web2 web "$second" eth0 1 && fail "ADD with the uid of another pod"
    code_is 11
    delete_pod web
    make_pod web other
    second=$(uid_of web)
    cni ADD web2 web "$second" || fail "ADD: $(cat "$work/cni.out")"
    refused shop/web || fail "the new pod has the old one's labels"
    cni DEL web1 web "$first" || fail "DEL of the old sandbox"
    cni CHECK web2 web "$second" || fail "the new sandbox stays: $(cat "$work/cni.out")"
}

test_second_interface() {
    say "only the cluster's interface is an endpoint"
    ip link add veth-net1 type veth peer name net1 netns web2
    cni ADD web2 web "$(uid_of web)" net1 || fail "ADD of net1: $(cat "$work/cni.out")"
    endpoint_count_is 3 || fail "net1 is an endpoint"
    "$weir" endpoint list -o json | jq -e '[.endpoints[] | select(.interface == "net1")] == []' >/dev/null ||
        fail "net1 has taken eth0's place"
    cni DEL web2 web "$(uid_of web)" net1 || fail "DEL of net1"
    cni CHECK web2 web "$(uid_of web)" || fail "eth0 stays: $(cat "$work/cni.out")"
    cni DEL web2 web "$(uid_of web)" || fail "DEL of eth0"
    endpoint_count_is 2 || fail "DEL of eth0 leaves the endpoint"
    delete_pod web
}

test_static() {
    say "a static pod is admitted with its mirror object"
    local hash=0123456789abcdef0123456789abcdef
    sandbox static 10.1.0.13
    cni ADD static static-n1 $hash eth0 1 && fail "ADD without a mirror object"
    code_is 11
    endpoint_count_is 2 || fail "a refused ADD leaves an endpoint"
    make_pod static-n1 cart "nodeName: n1" \
        "kubernetes.io/config.mirror: \"$hash\", kubernetes.io/config.hash: \"$hash\""
    cni ADD static static-n1 $hash || fail "ADD: $(cat "$work/cni.out")"
    admitted shop/static-n1 || fail "it is let in by its labels"
    cni DEL static static-n1 $hash
    delete_pod static-n1
}

# The watches hang, as when the API server is slow to tell; requests on connections of their own work.
test_late_watch() {
    say "a pod that the watch has not brought is asked for"
    pkill -STOP -P "$relay"
    make_pod quick cart
    sandbox quick 10.1.0.14
    cni ADD quick quick "$(uid_of quick)" || fail "ADD: $(cat "$work/cni.out")"
    admitted shop/quick || fail "it is let in by its labels"
    pkill -CONT -P "$relay"
    kubectl label pod -n shop quick app=other --overwrite >/dev/null
    within 5 "the watch carries on" refused shop/quick
    cni DEL quick quick ""
    delete_pod quick
}

test_node_address() {
    say "a node's address changes"
    kubectl apply -f "$data/clusternetworkpolicy-crd.yaml" >/dev/null
    within 10 "the kind is served" kubectl get clusternetworkpolicies -o name
    kubectl apply -f "$data/no-nodes.yaml" >/dev/null
    node_address 10.1.0.9
    within 15 "the node's address is refused" unreachable 10.1.0.9
    reachable 10.1.0.10 || fail "another address is none of a node's"
    node_address 10.1.0.10
    within 5 "its new one is refused" unreachable 10.1.0.10
    reachable 10.1.0.9 || fail "the old one is nobody's"
}
reachable() { "$weir" explain shop/cart "$1:80" >/dev/null; }
unreachable() {
    local result=0
    "$weir" explain shop/cart "$1:80" >/dev/null || result=$?
    [ $result -eq 1 ]
}
node_address() {
    kubectl patch node n2 --subresource=status --type=merge \
        -p "{\"status\":{\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"$1\"}]}}" >/dev/null
}

prepare
write_token
write_agent_kubeconfig https://127.0.0.1:$relay_port
start_relay
start_agent
within 20 "the first revision is in force" here
"$weir" endpoint add shop/cart --netns /run/netns/cart >/dev/null
"$weir" endpoint add shop/db --netns /run/netns/db >/dev/null
kubectl apply -f "$data/allow.yaml" >/dev/null
within 5 "only carts reach the database" allowed 5432
for test in host_network completed terminating recreated second_interface static late_watch node_address; do
    "test_$test"
done
nothing_was_forbidden
stop_agent
say "passed"
