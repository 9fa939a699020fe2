#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weir on a real Kubernetes of two nodes, installed as a user would: the image of ./dev image, the
# chart by helm. Each file in cases/ is a topic; all share one cluster, and one topic must leave it as
# the next expects it: Weir installed, the pods of testdata/shop.yaml running.
#
# Usage: cluster_test.sh KUBE_PROGRAMS IMAGE [TOPIC...]; by default all, in this order:
topics=(install objects burst restarts update uninstall)
set -euo pipefail
kube=$(readlink -f "$1")
image=$(readlink -f "$2")
export kube image
shift 2
here=$(dirname "$(readlink -f "$0")")
WEIR_CLUSTER=$(mktemp -d /var/tmp/weir-test-XXXXXX)
export WEIR_CLUSTER WEIR_CLUSTER_OWNER=$$
# shellcheck source=tests/kube/facts.sh
. "$here/facts.sh"
# shellcheck source=tests/kube/weir.sh
. "$here/weir.sh"
# shellcheck source=tests/kube/workload.sh
. "$here/workload.sh"

evidence() {
    kubectl get pods -A -o wide
    kubectl -n "$weir_namespace" logs daemonset/weir --all-pods --prefix --tail 20
    kubectl get events -A --sort-by .lastTimestamp | tail -n 20
}
trap 'cluster down' EXIT
trap 'exit 130' INT TERM HUP

cluster up
say "two nodes are Ready"
load_image
deploy_shop
say "pods run, and no Weir yet"
[ $# -gt 0 ] && topics=(install "${@/#install/}")
for topic in "${topics[@]}"; do
    [ -n "$topic" ] || continue
    say "---- $topic"
    # shellcheck source=/dev/null
    . "$here/cases/$topic.sh"
done
say "all topics hold"
