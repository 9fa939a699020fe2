# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Policies, labels, pods and namespaces come, change and go, beside traffic that they do not concern.

counts() { for i in 1 2; do weir "node$i" status -o json | jq -c '[.objects, .endpoints]'; done; }
web=$(address shop web-2)
before=$(counts)
start_shop_traffic

reaches_not shop guest "$web" || fail "the guest reaches a web"
kubectl -n shop label pod guest --overwrite app=till >/dev/null
within 20 "a label on a pod: the guest is a till and let in" reaches shop guest "$web"
kubectl -n shop label pod guest --overwrite app=guest >/dev/null
within 20 "and off again: it is kept out" reaches_not shop guest "$web"

kubectl apply -f - >/dev/null <<'YAML'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: guests, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{podSelector: {matchLabels: {app: guest}}}]}]
YAML
within 20 "a second policy lets it in" reaches shop guest "$web"
kubectl -n shop patch networkpolicy guests --type merge -p '{"spec":{"podSelector":{"matchLabels":{"app":"none"}}}}' >/dev/null
within 20 "changed to select other pods: kept out" reaches_not shop guest "$web"
kubectl -n shop delete networkpolicy guests >/dev/null

# A namespace whose policy is there before its pods, so that no pod of it is ever open.
for _ in 1 2 3; do
    make_namespace popup
    kubectl apply -f - >/dev/null <<'YAML'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: popup}
spec: {podSelector: {}}
YAML
    { pod_manifest popup one node1 stall && pod_manifest popup two node2 stall; } | kubectl apply -f - >/dev/null
    kubectl -n popup wait --for condition=Ready pod --all --timeout 30s >/dev/null
    for pod in one two; do
        reaches_not shop till "$(address popup "$pod")" || fail "popup/$pod is open"
    done
    kubectl delete namespace popup --timeout 60s >/dev/null
done
say "three times a namespace with pods came, closed, and went"

as_before() { [ "$(counts)" = "$before" ]; }
within 20 "agents hold the objects and endpoints of before" as_before
stop_shop_traffic "objects came, changed and went"
