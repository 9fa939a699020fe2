# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Weir comes to nodes whose pods run already.

vault=$(address shop vault-2)
reaches shop guest "$vault" || fail "without Weir, every pod reaches every pod"
for i in 1 2; do cluster node "node$i" cat /etc/cni/net.d/10-cluster.conflist >"$WEIR_CLUSTER/node$i.conflist"; done

start_traffic install shop till --allowed "$(address shop web-1)" --allowed "$(address shop web-2 1)"
install_weir --set image.pullPolicy=Never
say "helm installed it, both agents are ready"
within 20 "pods that ran before have their policy" reaches_not shop guest "$vault"
for i in 1 2; do
    cluster node "node$i" grep -q weir-cni /etc/cni/net.d/10-cluster.conflist ||
        fail "node$i has no weir-cni in its chain"
done
say "weir-cni is behind bridge on both nodes"
stop_traffic install "installed under traffic"

pod_manifest shop late node2 vault | kubectl apply -f - >/dev/null
kubectl -n shop wait --for condition=Ready pod/late --timeout 60s >/dev/null
reaches_not shop till "$(address shop late)" || fail "a pod that started under Weir is open"
say "a new pod starts, and has its policy"
kubectl -n shop delete pod late --now >/dev/null

weir node2 endpoint list -o json | jq -e '[.endpoints[].pod] | sort == ["vault-2", "web-2"]' >/dev/null ||
    fail "node2 has other endpoints than its pods: $(weir node2 endpoint list)"
say "weir's commands work in its pod: node2 has its two endpoints"
