#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weir as a user has it, on a real cluster of two nodes: the image imported, the chart installed by
# helm, commands in the pod and by the kubectl plugin, an upgrade, uninstalled until the nodes are as
# they were, installed again from the plain manifests and deleted.
#
# Usage: install_test.sh KUBE_PROGRAMS IMAGE.tar, with WEIR_SOURCE_DIR as ctest sets it; root.
set -euo pipefail
kube=$(readlink -f "$1")
image=$(readlink -f "$2")
deploy=$WEIR_SOURCE_DIR/deploy
WEIR_CLUSTER=$(mktemp -d /var/tmp/weir-install-XXXXXX)
export WEIR_CLUSTER WEIR_CLUSTER_OWNER=$$ WEIR_KUBE=$kube
cluster() { "$WEIR_SOURCE_DIR/tests/kube/cluster.sh" "$@"; }
trap 'cluster down 2>/dev/null; rm -rf "$WEIR_CLUSTER"' EXIT
trap 'exit 130' INT TERM HUP

# shellcheck source=tests/kube/facts.sh
. "$WEIR_SOURCE_DIR/tests/kube/facts.sh"
evidence() {
    kubectl get pods -A -o wide
    kubectl -n kube-system logs -l app.kubernetes.io/name=weir --tail 20 --prefix
}
kubectl() { cluster kubectl "$@"; }
plugin() {
    cluster outside env PATH="$kube:$deploy/plugin:$PATH" KUBECONFIG="$WEIR_CLUSTER/admin.kubeconfig" \
        kubectl weir "$@"
}

# All that Weir changes on a node. Its run folder, a mount in its pod, stays and is empty.
node_state() {
    # shellcheck disable=SC2016  # the node's shell
    cluster node "$1" sh -c 'cd /etc/cni/net.d && for f in *; do echo "$f" && cat "$f"; done
        ls /opt/cni/bin; find /sys/fs/bpf -mindepth 1 ! -name "*.debug"; find /run/weir -mindepth 1 2>/dev/null; true'
}
pod() {
    kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $1, namespace: default, labels: {app: $1}}
spec:
  nodeName: $2
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: "registry.k8s.io/e2e-test-images/agnhost:2.63.0", args: [netexec, --http-port=8080]}]
YAML
}
has_account() { kubectl get serviceaccount default >/dev/null 2>&1; }
runs() { kubectl wait --for condition=Ready "$@" --timeout 2s >/dev/null 2>&1; }
address() { kubectl get pod "$1" -o 'jsonpath={.status.podIP}'; }
reaches() { kubectl exec "$1" -- curl -s -m 1 "http://$(address "$2"):8080/hostname" >/dev/null 2>&1; }
refused() { ! reaches "$@"; }
ready() { kubectl -n kube-system rollout status daemonset/weir --timeout 2s >/dev/null 2>&1; }
gone() { [ -z "$(kubectl -n kube-system get pods -l app.kubernetes.io/name=weir -o name)" ]; }
as_before() {
    local name
    for name in node1 node2; do
        diff "$WEIR_CLUSTER/$name.before" <(node_state "$name") >"$WEIR_CLUSTER/difference" || return 1
    done
}
clean() {
    within 70 "the agents end" gone
    as_before || { cat "$WEIR_CLUSTER/difference" >&2 && fail "a node is not as it was"; }
    say "both nodes are as they were before"
}

cluster up
cluster load "$image" >/dev/null
within 30 "pods have an account" has_account
pod early node1
within 30 "a pod runs before Weir" runs pod/early
for name in node1 node2; do node_state "$name" >"$WEIR_CLUSTER/$name.before"; done

say "helm install"
cluster helm install weir "$deploy/chart" --namespace kube-system >/dev/null
within 90 "the agents are ready" ready
pod a node1
pod b node2
within 60 "pods start" runs pod/a pod/b
reaches a b || fail "without a policy a pod is reached"
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: isolated, namespace: default}
spec: {podSelector: {}, policyTypes: [Ingress]}
YAML
within 10 "a policy is in force" refused a b
refused b early || fail "the pod that ran before is protected too"

say "commands"
[ "$(kubectl -n kube-system exec daemonset/weir -- weir status -o json | jq .ready)" = true ] ||
    fail "weir status in the pod"
[ "$(plugin status -o json 2>/dev/null | jq -r .node | xargs)" = "node1 node2" ] ||
    fail "kubectl weir status asks both nodes"
[ "$(plugin status --node node2 -o json | jq -r .node)" = node2 ] || fail "--node"
[[ $(plugin endpoint list 2>/dev/null) == *default/early* ]] || fail "kubectl weir endpoint list"
explained=$(plugin -n default explain a b:8080 2>/dev/null) && fail "explain denies: $explained"
[[ $explained == *"isolated by default/isolated"* ]] || fail "explain asks b's node: $explained"
[[ $(plugin flows --verdict deny 2>/dev/null) == *default/b* ]] || fail "kubectl weir flows"
kubectl get networkpolicy isolated -o yaml >"$WEIR_CLUSTER/policy.yaml"
[[ $(plugin diff - <"$WEIR_CLUSTER/policy.yaml") == *"nothing would change"* ]] || fail "diff -"
plugin cleanup 2>/dev/null && fail "kubectl weir does not take Weir off"
plugin status --node none 2>/dev/null && fail "a node that does not exist is an error"
say "commands work in the pod and by kubectl weir"

say "helm upgrade"
cluster helm upgrade weir "$deploy/chart" --namespace kube-system --set mapMemory=64MiB >/dev/null
within 120 "the new agents are ready" ready
[ "$(plugin status --node node1 -o json | jq -r .map_memory.budget)" = $((64 << 20)) ] ||
    fail "the new option is in force"
refused a b || fail "the policy is in force"
[[ $(node_state node1) == *weir-cni* ]] || fail "an upgrade leaves weir-cni in the chain"

say "helm uninstall"
cluster helm uninstall weir --namespace kube-system >/dev/null
clean
reaches a b || fail "nothing is enforced"
pod c node1
within 30 "a pod starts without Weir" runs pod/c

say "kubectl apply"
kubectl apply -f "$deploy/manifests/weir.yaml" >/dev/null
within 90 "the agents are ready" ready
within 10 "pods that ran are protected" refused c b
pod d node2
within 60 "a pod starts" runs pod/d
kubectl -n kube-system delete pod -l app.kubernetes.io/name=weir --wait=false >/dev/null
[[ $(node_state node2) == *weir-cni* ]] || fail "an agent that is restarted leaves weir-cni in the chain"
within 90 "the agents are ready again" ready
refused a b || fail "the policy is in force"

say "kubectl delete"
kubectl delete -f "$deploy/manifests/weir.yaml" --wait=false >/dev/null
clean
reaches a b || fail "nothing is enforced"
say "passed"
