# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A rolling update of the DaemonSet, as an upgrade is one, while traffic flows and pods start.
: "${weir_namespace:?}"

generation() { kubectl -n "$weir_namespace" get daemonset weir -o jsonpath='{.metadata.generation}'; }
before=$(generation)
start_shop_traffic
install_weir --set image.pullPolicy=Never --set mapMemory=64MiB &
upgrade=$!
number=0
while kill -0 $upgrade 2>/dev/null; do
    number=$((number + 1))
    pod_manifest shop "during-$number" "node$((number % 2 + 1))" vault | kubectl apply -f - >/dev/null
    sleep 1
done
wait $upgrade || fail "the update does not end"
[ "$(generation)" -gt "$before" ] || fail "the update changed nothing"
weir node1 status -o json | jq -e '(.map_memory.budget | tonumber) == 64 * 1048576' >/dev/null ||
    fail "the agent of node1 is an old one: $(weir node1 status)"
say "both agents are new ones"
kubectl -n shop wait --for condition=Ready pod --all --timeout 60s >/dev/null || fail "pods do not start"
for ((i = 1; i <= number; ++i)); do
    reaches_not shop till "$(address shop "during-$i")" || fail "a pod that started meanwhile is open"
    kubectl -n shop delete pod "during-$i" --now --wait=false >/dev/null
done
say "$number pods started meanwhile, with their policy"
stop_shop_traffic "updated node by node"
