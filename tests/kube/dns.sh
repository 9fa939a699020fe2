#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The DNS of a cluster of cluster.sh's: CoreDNS behind the address that kubelets write into pods.
#
# Usage: dns.sh KUBE_PROGRAMS, with WEIR_CLUSTER
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
kube=$(readlink -f "$1")
cluster() { WEIR_KUBE=$kube "$here/cluster.sh" "$@"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/root/etc"
cp "$kube/coredns" "$work/root/coredns"
ldd "$kube/coredns" | grep -o '/[^ ]*' | xargs cp -L --parents --target-directory "$work/root"
cat >"$work/root/etc/Corefile" <<'COREFILE'
.:53 {
    errors
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
    }
}
COREFILE
"$here/../../deploy/archive.py" "$work/root" "$work/coredns.tar" --entrypoint /coredns \
    --command=-conf --command /etc/Corefile --tag weir.test/coredns:1
cluster load "$work/coredns.tar" >/dev/null
cluster kubectl apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: ServiceAccount
metadata: {name: coredns, namespace: kube-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: coredns}
rules:
  - {apiGroups: [""], resources: [services, pods, namespaces], verbs: [list, watch]}
  - {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: coredns}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: coredns}
subjects: [{kind: ServiceAccount, name: coredns, namespace: kube-system}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: coredns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  selector: {matchLabels: {k8s-app: kube-dns}}
  template:
    metadata: {labels: {k8s-app: kube-dns}}
    spec:
      serviceAccountName: coredns
      dnsPolicy: Default
      priorityClassName: system-cluster-critical
      containers:
        - name: coredns
          image: weir.test/coredns:1
          readinessProbe: {httpGet: {path: /ready, port: 8181}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  clusterIP: 10.96.0.10
  selector: {k8s-app: kube-dns}
  ports:
    - {name: dns, port: 53, protocol: UDP}
    - {name: dns-tcp, port: 53, protocol: TCP}
YAML
cluster kubectl -n kube-system rollout status deployment/coredns --timeout 60s >/dev/null
