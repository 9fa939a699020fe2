# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Weir on a cluster of cluster.sh's, as a user installs it: the image of ./dev image, and the chart by
# the real helm. Meant to be sourced.
# Needs: kube (folder of the programs), image (the archive), WEIR_CLUSTER (folder of the cluster).
: "${kube:?}" "${image:?}" "${WEIR_CLUSTER:?}"

kube_folder=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
chart=$kube_folder/../../deploy/chart
weir_namespace=weir

# Options of install_weir for a cluster of cluster.sh's without kube-proxy.
# shellcheck disable=SC2034  # of the scripts that source this
weir_services=(--set services.enabled=true --set services.cgroup=/run/cgroup2 --set 'apiServer={172.30.0.1:6443}')

cluster() { WEIR_KUBE=$kube "$kube_folder/cluster.sh" "$@"; }
kubectl() { cluster kubectl "$@"; }

# load_image: the nodes have what a registry would serve
load_image() { cluster load "$image" >/dev/null; }

# install_weir HELM-OPTION...: ready on every node
install_weir() {
    cluster helm upgrade --install weir "$chart" --namespace "$weir_namespace" --create-namespace "$@" >/dev/null
    weir_ready
}
weir_ready() { kubectl -n "$weir_namespace" rollout status daemonset/weir --timeout 120s >/dev/null; }

uninstall_weir() { cluster helm uninstall weir --namespace "$weir_namespace" --wait >/dev/null; }

# weir_pod NODE: the name of the agent's pod there that is not about to end
weir_pod() {
    kubectl -n "$weir_namespace" get pods --field-selector "spec.nodeName=$1" -o json |
        jq -r '[.items[] | select(.metadata.deletionTimestamp == null)] | last | .metadata.name'
}

# weir NODE ARG...: a command of weir in the agent's pod, as an operator runs it
weir() {
    local node=$1 pod
    shift
    pod=$(weir_pod "$node")
    kubectl -n "$weir_namespace" exec "$pod" -- weir "$@"
}
