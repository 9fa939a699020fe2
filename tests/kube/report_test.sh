#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the agent tells the users of a real API server: Events on objects of which something cannot be
# enforced, conditions where the API has them, and that they go when it is mended.
#
# Usage: report_test.sh KUBE_PROGRAMS, with WEIR_PROGRAM and WEIR_SOURCE_DIR as ctest sets them; root.
# It runs in namespaces of its own: whatever ends it ends all that it started.
set -euo pipefail
# shellcheck source=tests/kube/agent.sh
. "$(dirname "$(readlink -f "$0")")/agent.sh"

export WEIR_SERVICES=on WEIR_CGROUP=none # routes are Services' business; nobody connects to one here

# events NAME FILTER: what jq's FILTER says of the Events on the object, as a list
events() {
    kubectl get events.events.k8s.io -A -o json |
        jq -c "[.items[] | select(.regarding.name == \"$1\")] | $2"
}
events_are() { [ "$(events "$1" "$2")" = "$3" ]; }
# condition KIND NAME PATH TYPE: "STATUS REASON" of the condition in the list at the PATH; "": there is none
condition() {
    kubectl get "$1" -n shop "$2" -o json |
        jq -r "[($3)[]? | select(.type == \"$4\") | .status + \" \" + .reason] | join(\",\")"
}
condition_is() { [ "$(condition "$1" "$2" "$3" "$4")" = "$5" ]; }
enforced() { condition_is clusternetworkpolicy domains .status.conditions weir.io/Enforced "$1"; }
ours='[.status.parents[]? | select(.controllerName == "weir.io/gamma") | .conditions[]]'
route_is() { condition_is httproute web "$ours" "$1" "$2"; }
# metric_is NAME-AND-LABELS VALUE [PORT]. No grep -q: it ends before curl has written all, and pipefail takes that for a no.
metric_is() { curl -s "http://127.0.0.1:${3:-9964}/metrics" | grep -xF "$1 $2" >/dev/null; }
# patch KIND NAME JSON
patch() { kubectl patch "$1" -n shop "$2" --type=merge -p "$3" >/dev/null; }
described() { kubectl describe "$1" -n shop "$2" | grep "$3" >/dev/null; }

test_event() {
    say "a rule that needs layer 7"
    within 15 "is told as an Event on its policy" events_are layer7 length 1
    events_are layer7 '.[0] | [.type, .reason, .reportingController, .reportingInstance]' \
        '["Warning","NotEnforced","weir.io/agent","n1"]' || fail "what it says: $(events layer7 .)"
    described authorizationpolicy layer7 NotEnforced || fail "kubectl describe shows it"
    within 15 "one on a cluster-wide policy too" events_are domains length 1
    described clusternetworkpolicy domains NotEnforced || fail "kubectl describe shows that too"
}

test_series() {
    say "the same problem again"
    patch authorizationpolicy layer7 '{"spec":{"rules":[{"to":[{"operation":{"ports":["9"]}}]}]}}'
    within 10 "is mended first" status_is '[.problems[]? | select(.object == "AuthorizationPolicy shop/layer7")] == []'
    sleep 1.5 # so often the agent looks
    kubectl apply -f "$data/reported.yaml" >/dev/null
    within 15 "is the same Event with a series" events_are layer7 '.[0].series.count' 2
    events_are layer7 length 1 || fail "one Event: $(events layer7 .)"
}

test_condition() {
    say "peers by domain name"
    within 15 "are told as a condition" enforced "False PartlyEnforced"
    described clusternetworkpolicy domains domainNames || fail "kubectl describe shows it"
    local version
    version=$(kubectl get clusternetworkpolicy domains -o 'jsonpath={.metadata.resourceVersion}')
    sleep 3
    [ "$(kubectl get clusternetworkpolicy domains -o 'jsonpath={.metadata.resourceVersion}')" = "$version" ] ||
        fail "it is written once"
    patch clusternetworkpolicy domains '{"spec":{"egress":[]}}'
    within 15 "a mended policy has no condition" enforced ""
}

test_route() {
    say "a route by path"
    within 15 "is not accepted" route_is Accepted "False UnsupportedValue"
    kubectl patch httproute -n shop web --subresource=status --type=json -p '[{"op":"add","path":"/status/parents/0",
        "value":{"controllerName":"example.com/mesh","parentRef":{"name":"web"},"conditions":[]}}]' >/dev/null
    patch httproute web '{"spec":{"rules":[{"backendRefs":[{"name":"next","port":80}]}]}}'
    within 15 "without matches it is" route_is Accepted "True Accepted"
    route_is ResolvedRefs "True ResolvedRefs" || fail "and its backends are known"
    kubectl get httproute -n shop web -o json | jq -e '.status.parents[0].controllerName == "example.com/mesh" and
        .metadata.generation == .status.parents[1].conditions[0].observedGeneration' >/dev/null ||
        fail "the entry of another controller stays: $(kubectl get httproute -n shop web -o json | jq -c .status)"
    kubectl delete service -n shop next >/dev/null
    within 15 "a backend that is gone is told" route_is ResolvedRefs "False BackendNotFound"
}

test_grant() {
    say "a backend in another namespace"
    kubectl create namespace other >/dev/null
    kubectl create service clusterip next -n other --tcp=80 >/dev/null
    patch httproute web '{"spec":{"rules":[{"backendRefs":[{"name":"next","namespace":"other","port":80}]}]}}'
    within 15 "is not permitted" route_is ResolvedRefs "False RefNotPermitted"
    kubectl apply -f "$data/grant.yaml" >/dev/null
    within 15 "with a ReferenceGrant it is" route_is ResolvedRefs "True ResolvedRefs"
    kubectl delete -f "$data/grant.yaml" >/dev/null
    within 15 "until that is deleted" route_is ResolvedRefs "False RefNotPermitted"
}

test_pod() {
    say "the programs of a pod are taken off"
    "$weir" endpoint add shop/db --netns /run/netns/db >/dev/null
    detach
    within 20 "is told on the pod" events_are db '.[0].reason' '"ProgramsMended"'
}
# Takes off whatever is attached to the pods' interfaces.
detach() {
    local link
    for link in "$work"/bpffs/v*/links/*; do bpftool link detach pinned "$link"; done
}

# Both nodes see the same policy; the second finds the first one's Event.
test_two_nodes() {
    say "a second node"
    mkdir "$work/bpffs2"
    mount -t bpf bpf "$work/bpffs2"
    WEIR_SERVICES=off "$weir" agent --kubeconfig "$work/kubeconfig" --node-name n2 --bpffs "$work/bpffs2" \
        --run-dir "$work/run2" --http-address 127.0.0.1:9965 &>>"$work/agent2.log" &
    local second=$!
    within 30 "tells nothing that is told" metric_is 'weir_api_events_total{result="shared"}' 1 9965
    events_are layer7 '[length, .[0].reportingInstance]' '[1,"n1"]' || fail "one Event: $(events layer7 .)"
    metric_is 'weir_api_events_total{result="created"}' 0 9965 || fail "and creates none"
    kill $second
    wait $second || fail "the second agent ends with $?"
}

test_away() {
    say "the API is away"
    stop_relay
    within 10 "the agent knows" away
    detach
    within 20 "what cannot be told is counted" metric_is 'weir_api_events_dropped_total{reason="api_away"}' 1
    kill -0 "$agent" || fail "the agent lives"
    start_relay
    within 40 "and it goes on" here
}

prepare
kubectl apply -f "$data/clusternetworkpolicy-crd.yaml" -f "$data/reported-crds.yaml" >/dev/null
kubectl wait --for=condition=established crd --all >/dev/null
kubectl apply -f "$data/reported.yaml" >/dev/null
write_token
write_agent_kubeconfig https://127.0.0.1:$relay_port
start_relay
start_agent
within 20 "the first revision is in force" here
for test in event series condition route grant two_nodes pod away; do
    "test_$test"
done
nothing_was_forbidden
stop_agent
say "passed"
