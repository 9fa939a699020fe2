#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the real Kubernetes programs that the tests start, from the Go modules beside this file,
# into the folder given. Go's own cache makes the second time quick.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$(readlink -f "$0")")"

version=v1.36.3
command -v go >/dev/null ||
    { echo "build.sh: no go: install golang-go (1.23 or newer) from bookworm-backports" >&2 && exit 1; }
export GOFLAGS="-buildvcs=false" GOTOOLCHAIN="${GOTOOLCHAIN:-auto}"

# build MODULE OUTPUT PACKAGE... (several packages: OUTPUT is a folder)
build() {
    local module=$1 output=$2
    shift 2
    (cd "$module" && nice go build -ldflags "-s -w $ldflags" -o "$output" "$@") || {
        echo "build.sh: $module cannot be built; when its modules were not fetched, the Go module" \
            "proxy ($(go env GOPROXY)) is out of reach: these tests need it" >&2
        exit 1
    }
}

component=k8s.io/component-base/version
ldflags="-X $component.gitVersion=$version -X $component.gitMajor=1 -X $component.gitMinor=36"
build kubernetes "$out/" k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kubectl
ldflags=""
build etcd "$out/etcd" go.etcd.io/etcd/server/v3
