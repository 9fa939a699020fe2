#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What deploy/ holds for a cluster: the real helm accepts the chart, a real API server accepts what it
# renders, with every value set too; a value that is none is refused; the plain manifests are the chart's.
#
# Usage: chart_test.sh KUBE_PROGRAMS, with WEIR_SOURCE_DIR as ctest sets it; root.
set -euo pipefail
kube_folder=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/kube/sandbox.sh
. "$kube_folder/sandbox.sh"

kube=$(readlink -f "$1")
deploy=$WEIR_SOURCE_DIR/deploy
export HOME=$work # helm's cache
# shellcheck source=tests/kube/control_plane.sh
. "$kube_folder/control_plane.sh"
# shellcheck source=tests/kube/facts.sh
. "$kube_folder/facts.sh"
helm() { "$kube/helm" "$@"; }
render() { helm template weir "$deploy/chart" --namespace kube-system "$@"; }
# accepted WHAT FILE: the API server takes all objects, and knows all fields
accepted() {
    kubectl apply --dry-run=server --validate=strict -f "$2" >/dev/null || fail "$1 are not accepted"
    say "$1 are accepted by the API server"
}
# refused VALUE WORD: the schema refuses the value and says where
refused() {
    local said
    said=$(render --set "$1" 2>&1 >/dev/null) && fail "$1 is not refused"
    [[ $said == *"$2"* ]] || fail "$1 is refused without $2: $said"
}

helm lint --strict "$deploy/chart" >/dev/null || fail "helm lint"
"$deploy/render.sh" "$kube/helm" >"$work/plain.yaml"
diff -u "$deploy/manifests/weir.yaml" "$work/plain.yaml" ||
    fail "deploy/manifests/weir.yaml is not what the chart renders: deploy/render.sh $kube/helm >it"
say "the plain manifests are what the chart renders"

# Every value of values.yaml is used: changed, it changes what is rendered.
cat >"$work/values.yaml" <<'YAML'
image: {repository: registry.example/weir, tag: v9, pullPolicy: Always, pullSecrets: [{name: pull}]}
mapMemory: 64MiB
flowMemory: 8MiB
apiServer: ['192.0.2.1:6443', '[2001:db8::1]:6443']
services: {enabled: true, cgroup: /sys/fs/cgroup/unified}
events: {enabled: false}
status: {enabled: false}
metrics: {port: 9999, podMonitor: {enabled: true, interval: 7s, labels: {release: prometheus}}}
cni: {confDir: /cni/conf, binDir: /cni/bin, cacheDir: /cni/cache, netnsDir: /var/run/netns}
runDir: /run/other
bpffs: /sys/fs/bpf/other
resources: {limits: {memory: 512Mi}}
priorityClassName: system-cluster-critical
tolerations: [{key: example.com/own, operator: Exists}]
nodeSelector: {kubernetes.io/arch: amd64}
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: example.com/not, operator: DoesNotExist}]}]}}}
podAnnotations: {example.com/a: annotated}
podLabels: {example.com/l: labelled}
YAML
render -f "$work/values.yaml" >"$work/all.yaml"
for value in registry.example/weir:v9 Always 'name: pull' 64MiB 8MiB :9999 'portNumber: 9999' 7s \
    'release: prometheus' /cni/conf /cni/bin /cni/cache /var/run/netns /run/other /sys/fs/bpf/other \
    '"192.0.2.1:6443,[2001:db8::1]:6443"' 'WEIR_SERVICES: "on"' 'path: /sys/fs/cgroup/unified' \
    'WEIR_EVENTS: "off"' 'WEIR_STATUS: "off"' 512Mi system-cluster-critical example.com/own 'kubernetes.io/arch: amd64' example.com/not \
    annotated labelled; do
    grep -qF -- "$value" "$work/all.yaml" || fail "a value is not used: $value"
done
say "every value is used"
grep -q -e events.k8s.io -e /status "$work/all.yaml" && fail "rights for what is switched off"

refused mapMemory=lots mapMemory
refused metrics.port=0 port
refused 'apiServer={https://192.0.2.1}' apiServer
refused cni.confDir=relative confDir
refused mapmemory=64MiB mapmemory
say "what is no value is refused"

make_certificates
start_etcd
start_apiserver
accepted "the plain manifests" "$work/plain.yaml"
# No CustomResourceDefinition of PodMonitor is here to validate it with.
render -f "$work/values.yaml" --set metrics.podMonitor.enabled=false >"$work/all.yaml"
accepted "manifests with every value set" "$work/all.yaml"
