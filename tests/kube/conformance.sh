#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kubernetes' own end-to-end suite on a cluster of its own, with Weir installed as a user would.
# conformance.skip names the specs that are left out, and why; conformance-kube-proxy.skip those that
# are left out as long as services are kube-proxy's.
#
# Usage: conformance.sh KUBE_PROGRAMS IMAGE [--with-kube-proxy|--without-weir] [FOCUS]
# By default services are Weir's alone. With kube-proxy Weir leaves them to it; without Weir the
# cluster is what others have. FOCUS is a regular expression on the names of specs, by default every
# conformance spec about the network, all of NetworkPolicy and all of Services.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
kube=$(readlink -f "$1") image=$(readlink -f "$2")
shift 2
services=weir
case ${1:-} in
--with-kube-proxy) services='kube-proxy' ;;
--without-weir) services=no-weir ;;
esac
[ $services = weir ] || shift
focus=("${@:-\[sig-network\].*\[Conformance\]}")
[ $# -gt 0 ] || focus+=('\[sig-network\] Netpol' '\[sig-network\] Services')

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
lists=("$here/conformance.skip")
[ $services != kube-proxy ] || lists+=("$here/conformance-kube-proxy.skip")
mapfile -t skipped < <(sed '/^#/d; /^$/d' "${lists[@]}")
for name in "${skipped[@]}"; do options+=("--skip=$name"); done

if [ $services = weir ]; then cluster up --without-kube-proxy; else cluster up; fi
say "two nodes"
if [ $services != no-weir ]; then
    load_image
    options_of_weir=(--set image.pullPolicy=Never)
    [ $services != weir ] || options_of_weir+=("${weir_services[@]}")
    install_weir "${options_of_weir[@]}"
    say "Weir is on them"
fi
"$here/dns.sh" "$kube"
say "DNS"
say "specs: ${focus[*]}"
# Specs wait most of the time, for pods to start and for probes that have to time out.
(cd "$WEIR_CLUSTER" && cluster outside "$kube/ginkgo" --procs=4 --no-color --fail-on-empty --timeout 60m \
    --output-interceptor-mode=none "${options[@]}" "$kube/e2e.test" -- \
    --kubeconfig="$WEIR_CLUSTER/admin.kubeconfig" --provider=local --num-nodes=2 \
    --kubectl-path="$kube/kubectl" --dump-logs-on-failure=false)
say "all of them pass"
