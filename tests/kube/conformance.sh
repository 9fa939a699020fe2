#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kubernetes' own end-to-end suite on a cluster of its own, with Weir installed as a user would.
# conformance.skip names the specs that are left out, and why.
#
# Usage: conformance.sh KUBE_PROGRAMS IMAGE [--without-weir] [FOCUS]; FOCUS is a regular expression on
# the names of specs, by default every conformance spec about the network and all of NetworkPolicy.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
kube=$(readlink -f "$1") image=$(readlink -f "$2")
shift 2
with_weir=true
if [ "${1:-}" = --without-weir ]; then
    with_weir=false
    shift
fi
focus=("${@:-\[sig-network\].*\[Conformance\]}")
[ $# -gt 0 ] || focus+=('\[sig-network\] Netpol')

WEIR_CLUSTER=$(mktemp -d /var/tmp/weir-conformance-XXXXXX)
export WEIR_CLUSTER WEIR_CLUSTER_OWNER=$$
# shellcheck source=tests/kube/facts.sh
. "$here/facts.sh"
# shellcheck source=tests/kube/weir.sh
. "$here/weir.sh"
trap 'cluster down' EXIT
trap 'exit 130' INT TERM HUP

options=()
for name in "${focus[@]}"; do options+=("--focus=$name"); done
mapfile -t skipped < <(sed '/^#/d; /^$/d' "$here/conformance.skip")
for name in "${skipped[@]}"; do options+=("--skip=$name"); done

cluster up
say "two nodes"
"$here/dns.sh" "$kube"
say "DNS"
if $with_weir; then
    load_image
    install_weir --set image.pullPolicy=Never
    say "Weir is on them"
fi
say "specs: ${focus[*]}"
# Specs wait most of the time, for pods to start and for probes that have to time out.
(cd "$WEIR_CLUSTER" && cluster outside "$kube/ginkgo" --procs=4 --no-color --fail-on-empty --timeout 60m \
    --output-interceptor-mode=none "${options[@]}" "$kube/e2e.test" -- \
    --kubeconfig="$WEIR_CLUSTER/admin.kubeconfig" --provider=local --num-nodes=2 \
    --kubectl-path="$kube/kubectl" --dump-logs-on-failure=false)
say "all of them pass"
