# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Two hundred pods start, stop and return; each is an endpoint with its policy while it runs, and none
# after.
burst=200

kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Namespace
metadata: {name: burst}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: burst}
spec: {podSelector: {}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: burst, namespace: burst}
spec:
  replicas: 0
  selector: {matchLabels: {app: burst}}
  template:
    metadata: {labels: {app: burst}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: pause, image: "registry.k8s.io/pause:3.10.1"}]
YAML

scale() { kubectl -n burst scale deployment burst --replicas "$1" >/dev/null; }
endpoints() {
    for i in 1 2; do weir "node$i" endpoint list -o json; done |
        jq -s "[.[].endpoints[] | select(.namespace == \"burst\") | select($1)] | length"
}
all_run() { kubectl -n burst rollout status deployment burst --timeout 300s >/dev/null; }
all_gone() { kubectl -n burst wait --for delete pod --selector app=burst --timeout 300s >/dev/null; }
no_endpoint() { [ "$(endpoints true)" -eq 0 ]; }

start_shop_traffic
for round in "start" "return"; do
    scale $burst
    all_run || fail "$burst pods do not $round"
    say "$burst pods $round"
    closed=$(endpoints '.pod_known and .ingress.isolated')
    [ "$closed" -eq $burst ] || fail "$closed of $burst pods have their policy"
    scale 0
    all_gone || fail "$burst pods do not stop"
    within 20 "all stopped, no endpoint is left" no_endpoint
done
kubectl delete namespace burst >/dev/null
stop_shop_traffic "$burst pods started, stopped and returned"
