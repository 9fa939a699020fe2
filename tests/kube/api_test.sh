#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The agent follows a real API server: objects come, change and go; the watch is cut, the API server
# restarts, etcd forgets, the token is rotated, a definition appears later, ten thousand objects
# come. Each answer is asked of the agent's own commands.
#
# Usage: api_test.sh KUBE_PROGRAMS, with WEIR_PROGRAM and WEIR_SOURCE_DIR as ctest sets them; root.
# It runs in namespaces of its own: whatever ends it ends all that it started.
set -euo pipefail
# shellcheck source=tests/kube/agent.sh
. "$(dirname "$(readlink -f "$0")")/agent.sh"

test_objects() {
    say "objects come, change and go"
    start_agent
    within 20 "the first revision is in force" here
    "$weir" endpoint add shop/cart --netns /run/netns/cart >/dev/null
    "$weir" endpoint add shop/db --netns /run/netns/db >/dev/null
    within 5 "without a policy the database is reached" allowed 5432
    pings || fail "by packets too"
    kubectl apply -f "$data/deny.yaml" >/dev/null
    within 5 "a policy denies" denied 5432
    kubectl apply -f "$data/allow.yaml" >/dev/null
    within 5 "its new version allows one port" allowed 5432
    denied 5433 || fail "and no other port"
    kubectl label pod -n shop cart app=other --overwrite >/dev/null
    within 5 "a pod that is labelled differently is denied" denied 5432
    kubectl label pod -n shop cart app=cart --overwrite >/dev/null
    within 5 "and let in again" allowed 5432
    kubectl create namespace other >/dev/null
    within 5 "a namespace comes" count_is Namespace "$(($(kubectl get namespaces -o name | wc -l)))"
    kubectl delete networkpolicy -n shop db >/dev/null
    within 5 "the policy is deleted" allowed 5433
    kubectl apply -f "$data/deny.yaml" >/dev/null
    within 5 "and there again" denied 5433
}

test_cut() {
    say "the connection is cut"
    stop_relay
    within 10 "the status says that the API is away" away
    curl -s http://127.0.0.1:9964/readyz | grep "^ok; Kubernetes API .* is away since " >/dev/null ||
        fail "/readyz says since when"
    denied 5432 || fail "the last state is enforced"
    kubectl apply -f "$data/allow.yaml" >/dev/null
    denied 5432 || fail "nothing is known of the change yet"
    start_relay
    within 40 "what changed meanwhile is in force" allowed 5432
    within 40 "and the API is not away any more" here
}

test_restart() {
    say "the API server restarts"
    stop_apiserver
    within 10 "the API is away" away
    allowed 5432 || fail "the last state is enforced"
    start_apiserver
    within 60 "it is back" here
    kubectl apply -f "$data/deny.yaml" >/dev/null
    within 5 "and followed" denied 5432
}

test_gone() {
    say "etcd forgets the version of the watch"
    stop_relay
    within 10 "the API is away" away
    kubectl delete networkpolicy -n shop db >/dev/null
    compact_etcd
    stop_apiserver # its watch cache remembers what etcd does not
    start_apiserver
    start_relay
    within 60 "what was deleted meanwhile is gone" allowed 5433
    within 60 "the API is back" here
    kubectl apply -f "$data/deny.yaml" >/dev/null
    within 5 "and followed" denied 5432
}

test_token() {
    say "the token is rotated"
    kubectl delete serviceaccount -n weir weir >/dev/null # its tokens die with it
    grant_role
    sleep 11 # for so long the API server remembers that it was good
    stop_relay
    start_relay
    within 20 "the old token is not accepted" status_is \
        '.source_away_reason | contains("401")'
    write_token
    within 40 "the new one in the file is" here
}

test_definition() {
    say "a definition appears later"
    kubectl apply -f "$data/allow.yaml" >/dev/null
    within 5 "allowed before" allowed 5432
    kubectl apply -f "$data/clusternetworkpolicy-crd.yaml" >/dev/null
    within 10 "the kind is served" kubectl get clusternetworkpolicies -o name
    kubectl apply -f "$data/cluster-deny.yaml" >/dev/null
    within 15 "a cluster policy denies" denied 5432
    kubectl delete crd clusternetworkpolicies.policy.networking.k8s.io >/dev/null
    within 30 "with its definition the policy goes" allowed 5432
}

# Every verb and resource that the agent asked for was granted, and nothing else is needed.
test_rbac() {
    say "RBAC"
    nothing_was_forbidden
    kubectl patch clusterrole weir --type=json \
        -p '[{"op":"remove","path":"/rules/2"}]' >/dev/null
    stop_relay
    start_relay
    within 20 "a missing right is named" status_is \
        '.source_away_reason | contains("networkpolicies.networking.k8s.io")'
    denied 5433 || fail "the last state is enforced"
    grant_role
    within 60 "granted again" here
}

test_many() {
    say "ten thousand more pods"
    local i
    for ((i = 0; i < 10000; ++i)); do
        printf 'next\nurl = "%s/api/v1/namespaces/other/pods"\ndata = "%s"\nheader = "%s"\noutput = /dev/null\n' \
            "$server" "{\\\"metadata\\\":{\\\"name\\\":\\\"p$i\\\",\\\"labels\\\":{\\\"app\\\":\\\"p\\\"}},\\\"spec\\\":{\\\"containers\\\":[{\\\"name\\\":\\\"c\\\",\\\"image\\\":\\\"none\\\"}]}}" \
            "Content-Type: application/json"
        printf 'cacert = "%s"\ncert = "%s"\nkey = "%s"\nsilent\n' \
            "$pki/ca.crt" "$pki/admin.crt" "$pki/admin.key"
    done | sed 1d >"$work/pods.curl"
    curl --parallel --parallel-max 8 -K "$work/pods.curl" 2>/dev/null
    say "they are created"
    within 30 "all are known" count_is Pod 10002
    kubectl apply -f "$data/deny.yaml" >/dev/null
    within 5 "a policy is followed as before" denied 5432
}

# Policy survives an agent; the next one enforces nothing before it has read everything.
test_agent_restart() {
    say "the agent restarts while the API is away"
    stop_agent
    stop_relay
    kubectl delete networkpolicy -n shop db >/dev/null
    start_agent
    within 10 "it answers, and is not ready before everything is read" unready
    local refusal
    refusal=$("$weir" endpoint add shop/late --netns /run/netns/cart 2>&1) &&
        fail "no endpoint is admitted"
    [[ $refusal == *"try again"* ]] || fail "the refusal is one to try again: $refusal"
    [ "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9964/readyz)" = 503 ] ||
        fail "/readyz is 503"
    pings && fail "what was in force is in force"
    write_agent_kubeconfig "https://[::1]:$api_port" # read again, and by IPv6 this time
    within 40 "everything is read" here
    within 5 "and in force" allowed 5432
    stop_agent
    start_agent
    within 40 "an agent that starts with ten thousand pods is ready" here
    say "with ten thousand pods, resident memory: $(awk '/VmRSS|VmHWM/ { print $1, $2, $3 }' "/proc/$agent/status" | xargs)"
}

prepare
write_token
write_agent_kubeconfig https://127.0.0.1:$relay_port
start_relay
for test in objects cut restart gone token definition rbac many agent_restart; do
    "test_$test"
done
stop_agent
say "passed"
