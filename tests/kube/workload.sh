# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Pods on a cluster, who of them reaches whom, and traffic between them while other things happen.
# Meant to be sourced, after facts.sh and weir.sh.
: "${kube_folder:?}"

agnhost=registry.k8s.io/e2e-test-images/agnhost:2.63.0

# pod_manifest NAMESPACE NAME NODE LABEL [COMMAND]: a pod of agnhost; netexec serves HTTP and UDP
pod_manifest() {
    cat <<YAML
---
apiVersion: v1
kind: Pod
metadata: {name: $2, namespace: $1, labels: {app: $4}}
spec:
  nodeName: $3
  terminationGracePeriodSeconds: 0
  containers:
    - name: agnhost
      image: $agnhost
      args: [${5:-netexec}]
YAML
}

# make_namespace NAME: and the service account in it that its pods run as, which a controller makes
make_namespace() {
    local deadline=$((EPOCHSECONDS + 20))
    kubectl create namespace "$1" >/dev/null
    until quiet kubectl -n "$1" get serviceaccount default; do
        [ "$EPOCHSECONDS" -lt $deadline ] || fail "namespace $1 gets no service account"
        sleep 0.1
    done
}

# deploy_shop: testdata/shop.yaml and its pods, running
deploy_shop() {
    make_namespace shop
    {
        cat "$kube_folder/testdata/shop.yaml"
        pod_manifest shop till node1 till
        pod_manifest shop guest node1 guest
        for i in 1 2; do
            pod_manifest shop "web-$i" "node$i" web
            pod_manifest shop "vault-$i" "node$i" vault
        done
    } | kubectl apply -f - >/dev/null
    kubectl -n shop wait --for condition=Ready pod --all --timeout 60s >/dev/null
}

# address NAMESPACE POD [FAMILY: 0 or 1]
address() { kubectl -n "$1" get pod "$2" -o jsonpath="{.status.podIPs[${3:-0}].ip}"; }

# in_pod NAMESPACE POD CMD...: a command of this machine in the pod's network
in_pod() {
    local node netns namespace=$1 pod=$2
    shift 2
    node=$(kubectl -n "$namespace" get pod "$pod" -o jsonpath='{.spec.nodeName}')
    netns=$(netns_of "$node" "$namespace" "$pod")
    [ -n "$netns" ] || fail "node $node knows no network of pod $namespace/$pod"
    cluster node "$node" nsenter "--net=$netns" "$@"
}
# The runtime's cached results of the plugins say which network is whose.
netns_of() {
    cluster node "$1" sh -c 'cat /var/lib/cni/results/*-eth0' | jq -r --arg namespace "$2" --arg pod "$3" '
        select((.cniArgs | map({(.[0]): .[1]}) | add) |
            .K8S_POD_NAMESPACE == $namespace and .K8S_POD_NAME == $pod) | .netns' | tail -n 1
}

# reaches NAMESPACE POD ADDRESS: HTTP is answered
reaches() { in_pod "$1" "$2" curl -sf --max-time 1 --connect-timeout 1 "http://$(bracketed "$3"):8080/hostname" >/dev/null; }
reaches_not() { ! reaches "$@"; }
bracketed() { case $1 in *:*) echo "[$1]" ;; *) echo "$1" ;; esac; }

# What a machine with too little processor time drops from full queues, before or after Weir's programs:
# packets of its network interfaces, datagrams of the shop's sockets.
queue_drops() {
    local pod dropped total=0
    while read -r _ dropped _; do total=$((total + 16#$dropped)); done </proc/net/softnet_stat
    for pod in till web-1 web-2; do
        total=$((total + $(in_pod shop "$pod" cat /proc/net/snmp /proc/net/snmp6 | awk '
            $1 == "Udp:" && !column { for (i = 2; i <= NF; ++i) if ($i == "RcvbufErrors") column = i; next }
            $1 == "Udp:" { n += $column }
            $1 == "Udp6RcvbufErrors" { n += $2 }
            END { print n }')))
    done
    echo "$total"
}

# start_traffic NAME NAMESPACE POD TRAFFIC-OPTION...: traffic.py in the pod, until stop_traffic NAME
declare -A traffic_jobs traffic_drops
start_traffic() {
    local name=$1 namespace=$2 pod=$3
    shift 3
    rm -f "$WEIR_CLUSTER/$name.end"
    traffic_drops[$name]=$(queue_drops)
    in_pod "$namespace" "$pod" "$kube_folder/traffic.py" --until "$WEIR_CLUSTER/$name.end" "$@" \
        >"$WEIR_CLUSTER/$name.json" &
    traffic_jobs[$name]=$!
}

# stop_traffic NAME WHAT: nothing that is allowed was lost, nothing passed that is denied, during WHAT
stop_traffic() {
    local report drops
    touch "$WEIR_CLUSTER/$1.end"
    wait "${traffic_jobs[$1]}" || fail "$2: the traffic ended early"
    drops=$(($(queue_drops) - traffic_drops[$1]))
    report=$(jq -c --argjson drops $drops '. + {queue_drops: $drops}' <"$WEIR_CLUSTER/$1.json")
    jq -e '.datagrams > 0 and .connections > 0 and .requests > 0' <<<"$report" >/dev/null ||
        fail "$2: there was no traffic: $report"
    jq -e '.datagrams_lost + .syns_lost <= .queue_drops and
           .connections_failed + .requests_failed + .passed == 0' <<<"$report" >/dev/null ||
        fail "$2: $(jq . <<<"$report")"
    say "$2: $(jq -r '"\(.datagrams) datagrams, \(.connections) connections, \(.requests) requests: none lost" +
        if .datagrams_lost > 0 then " but \(.datagrams_lost) in full queues" else "" end +
        "; \(.denied) denied, none passed"' <<<"$report")"
}

# start_shop_traffic: from the till to all webs and vaults, both families
start_shop_traffic() {
    local options=() i family
    for i in 1 2; do
        for family in 0 1; do
            options+=(--allowed "$(address shop "web-$i" $family)" --denied "$(address shop "vault-$i" $family)")
        done
    done
    start_traffic shop shop till "${options[@]}"
}
stop_shop_traffic() { stop_traffic shop "$1"; }
