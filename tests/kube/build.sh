#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the real Kubernetes programs that the tests start, from the Go modules beside this file,
# into the folder given. Go's own cache makes the second time quick.
#
# Usage: build.sh FOLDER [GROUP...]: api (etcd, kube-apiserver, kubectl), cluster (what two nodes
# need besides, and helm), conformance (the end-to-end suite and
# the cluster's DNS); all of them by default.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
shift
cd "$(dirname "$(readlink -f "$0")")"
[ $# -gt 0 ] || set -- api cluster conformance

version=v1.36.3
command -v go >/dev/null ||
    { echo "build.sh: no go: install golang-go (1.23 or newer) from bookworm-backports" >&2 && exit 1; }
export GOFLAGS="-buildvcs=false" GOTOOLCHAIN="${GOTOOLCHAIN:-auto}"

component=k8s.io/component-base/version
kubernetes="-X $component.gitVersion=$version -X $component.gitMajor=1 -X $component.gitMinor=36"

# run MODULE ARG...: a go command in the module, at low priority
run() {
    local module=$1
    shift
    (cd "$module" && nice go "$@") || {
        echo "build.sh: $module cannot be built; when its modules were not fetched, the Go module" \
            "proxy ($(go env GOPROXY)) is out of reach: these tests need it" >&2
        exit 1
    }
}

build_api() {
    run kubernetes build -ldflags "-s -w $kubernetes" -o "$out/" \
        k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kubectl
    run etcd build -ldflags "-s -w" -o "$out/etcd" go.etcd.io/etcd/server/v3
}

# The kubelet, the scheduler and the others; containerd and helm would raise versions in the module
# of Kubernetes, which then does not compile: each has its own.
build_cluster() {
    run kubernetes build -ldflags "-s -w $kubernetes" -o "$out/" \
        k8s.io/kubernetes/cmd/{kube-controller-manager,kube-scheduler,kube-proxy,kubelet} \
        k8s.io/kubernetes/test/images/agnhost
    run containerd build -ldflags "-s -w" -o "$out/" \
        github.com/containerd/containerd/v2/cmd/{containerd,containerd-shim-runc-v2,ctr}
    run helm build -ldflags "-s -w" -o "$out/helm" helm.sh/helm/v3/cmd/helm
}

build_conformance() {
    run kubernetes test -c -ldflags "-s -w $kubernetes" -o "$out/e2e.test" \
        k8s.io/kubernetes/test/e2e
    run kubernetes build -ldflags "-s -w" -o "$out/ginkgo" github.com/onsi/ginkgo/v2/ginkgo
    run coredns build -ldflags "-s -w" -o "$out/coredns" .
}

for group in "$@"; do
    case $group in
    api | cluster | conformance) "build_$group" ;;
    *) echo "build.sh: no group $group (api, cluster, conformance)" >&2 && exit 2 ;;
    esac
done
