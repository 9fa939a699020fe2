# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What ends and comes back on a node: Weir's pod, all of them, the kubelet, the node's own pods.
: "${weir_namespace:?}" "${agnhost:?}"

start_shop_traffic
kubectl -n "$weir_namespace" delete pod "$(weir_pod node1)" >/dev/null
weir_ready
say "Weir's pod deleted: a new one is ready"
kubectl -n "$weir_namespace" rollout restart daemonset/weir >/dev/null
weir_ready
say "rolled over every node"

for i in 1 2; do
    cluster node "node$i" pkill -x kubelet
    node_ready() { quiet kubectl wait --for condition=Ready node "node$i" --timeout 1s; }
    kubelet_posts() {
        local heartbeat
        heartbeat=$(kubectl get lease -n kube-node-lease "node$i" -o jsonpath='{.spec.renewTime}')
        [[ $heartbeat > $1 ]]
    }
    within 60 "the kubelet of node$i restarted" kubelet_posts "$(date -u +%FT%T.%6NZ)"
    within 30 "node$i is Ready" node_ready
done
stop_shop_traffic "Weir and the kubelets restarted"

kubectl apply -f - >/dev/null <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: mobile, namespace: shop}
spec:
  replicas: 4
  selector: {matchLabels: {app: vault, kind: mobile}}
  template:
    metadata: {labels: {app: vault, kind: mobile}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: agnhost, image: "$agnhost", args: [netexec]}]
YAML
kubectl -n shop rollout status deployment/mobile --timeout 60s >/dev/null
start_traffic drain shop till --allowed "$(address shop web-1)" --denied "$(address shop vault-1)"
kubectl drain node2 --pod-selector kind=mobile --timeout 60s &>/dev/null || fail "node2 cannot be drained"
kubectl -n shop rollout status deployment/mobile --timeout 60s >/dev/null
closed() {
    local ip
    for ip in $(kubectl -n shop get pods --selector kind=mobile -o jsonpath='{.items[*].status.podIP}'); do
        reaches_not shop till "$ip" || return
    done
}
closed || fail "a pod that moved from a drained node is open"
say "node2 drained: its pods run on node1, with their policy"
kubectl uncordon node2 >/dev/null
kubectl -n shop rollout restart deployment/mobile >/dev/null
kubectl -n shop rollout status deployment/mobile --timeout 60s >/dev/null
closed || fail "a pod that moved to a node that came back is open"
say "node2 is back, pods run there again, with their policy"
kubectl -n shop delete deployment mobile --wait >/dev/null
stop_traffic drain "a node was drained and came back"
