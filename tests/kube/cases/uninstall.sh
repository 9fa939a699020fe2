# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Weir goes, and the nodes are as they were; it comes again.

start_traffic uninstall shop till --allowed "$(address shop web-1)" --allowed "$(address shop web-2 1)"
uninstall_weir
chain_is_as_before() {
    for i in 1 2; do
        cluster node "node$i" cat /etc/cni/net.d/10-cluster.conflist | cmp -s - "$WEIR_CLUSTER/node$i.conflist" ||
            return
    done
}
within 60 "helm uninstalled it, the CNI configuration is what it was, to the byte" chain_is_as_before
nothing_is_pinned() {
    for i in 1 2; do [ -z "$(cluster node "node$i" find /sys/fs/bpf -mindepth 1 ! -name "*.debug" -print -quit)" ] || return; done
}
within 30 "nothing of it is pinned" nothing_is_pinned
within 20 "every pod reaches every pod" reaches shop guest "$(address shop vault-2)"
pod_manifest shop plain node1 vault | kubectl apply -f - >/dev/null
kubectl -n shop wait --for condition=Ready pod/plain --timeout 60s >/dev/null || fail "no pod starts without Weir"
say "pods start without it"
install_weir --set image.pullPolicy=Never
for pod in vault-2 plain; do
    within 20 "installed again: shop/$pod is closed" reaches_not shop guest "$(address shop "$pod")"
done
stop_traffic uninstall "uninstalled and installed under traffic"
