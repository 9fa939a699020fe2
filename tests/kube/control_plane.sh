# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A real control plane for tests, with certificates of its own. Meant to be sourced inside namespaces
# that vanish with the test (api_test.sh: etcd and kube-apiserver alone; cluster.sh: all of it).
# Needs: kube (folder of the programs), work (folder for all files). api_address: where nodes reach
# the API server; without nodes it is on loopback.
: "${kube:?}" "${work:?}"

api_address=${api_address:-127.0.0.1}
api_port=6443
server=https://$api_address:$api_port

# certificate NAME SUBJECT EXTENSIONS: NAME.crt and NAME.key, signed by the test's authority
certificate() {
    openssl req -newkey rsa:2048 -nodes -keyout "$pki/$1.key" -subj "$2" 2>/dev/null |
        openssl x509 -req -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -days 2 -out "$pki/$1.crt" \
            -extfile <(printf '%s\n' "$3") 2>/dev/null
}

# client_certificate USER GROUP
client_certificate() { certificate "$1" "/O=$2/CN=$1" "extendedKeyUsage=clientAuth"; }

# write_kubeconfig FILE USER: a kubeconfig with the user's certificate in it
write_kubeconfig() {
    cat >"$1" <<YAML
apiVersion: v1
kind: Config
current-context: cluster
contexts: [{name: cluster, context: {cluster: cluster, user: $2}}]
clusters: [{name: cluster, cluster: {server: "$server", certificate-authority-data: $(base64 -w 0 <"$pki/ca.crt")}}]
users: [{name: $2, user: {client-certificate-data: $(base64 -w 0 <"$pki/$2.crt"), client-key-data: $(base64 -w 0 <"$pki/$2.key")}}]
YAML
}

make_certificates() {
    pki=$work/pki
    mkdir -p "$pki"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=weir-test-ca \
        -keyout "$pki/ca.key" -out "$pki/ca.crt" 2>/dev/null
    certificate server /CN=kube-apiserver "subjectAltName=DNS:kubernetes,DNS:kubernetes.default,\
DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1,IP:::1,IP:$api_address,IP:10.96.0.1"
    client_certificate admin system:masters
    openssl genrsa -out "$pki/sa.key" 2048 2>/dev/null
}

start_etcd() {
    "$kube/etcd" --data-dir "$work/etcd" --log-level error --unsafe-no-fsync \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380 &>"$work/etcd.log" &
}

# Without the controller manager nobody makes the service accounts that pods would run as.
apiserver_options=(--disable-admission-plugins ServiceAccount)
start_apiserver() {
    "$kube/kube-apiserver" --etcd-servers http://127.0.0.1:2379 --secure-port $api_port \
        --bind-address :: --advertise-address "$api_address" \
        --service-cluster-ip-range 10.96.0.0/16,fd96::/112 --allow-privileged \
        --tls-cert-file "$pki/server.crt" --tls-private-key-file "$pki/server.key" \
        --client-ca-file "$pki/ca.crt" --authorization-mode Node,RBAC --etcd-compaction-interval 0 \
        --service-account-issuer https://weir.test --service-account-key-file "$pki/sa.key" \
        --service-account-signing-key-file "$pki/sa.key" --kubelet-preferred-address-types InternalIP \
        --kubelet-client-certificate "$pki/admin.crt" --kubelet-client-key "$pki/admin.key" --cert-dir "$work/apiserver" \
        "${apiserver_options[@]}" &>>"$work/apiserver.log" &
    apiserver=$!
    until [ "$(curl -s --cacert "$pki/ca.crt" "$server/readyz")" = ok ]; do
        kill -0 "$apiserver" 2>/dev/null || { tail "$work/apiserver.log" >&2 && return 1; }
        sleep 0.2
    done
}

stop_apiserver() {
    kill -9 "$apiserver"
    wait "$apiserver" 2>/dev/null || true
}

kubectl() {
    "$kube/kubectl" --server "$server" --certificate-authority "$pki/ca.crt" \
        --client-certificate "$pki/admin.crt" --client-key "$pki/admin.key" "$@"
}

# The agent's identity in a test without nodes is a service account alone, with exactly the role that the
# chart gives it. What else is in the manifests rests there: nobody makes pods of a DaemonSet.
grant_role() {
    kubectl create namespace weir --dry-run=client -o yaml | kubectl apply -f - >/dev/null
    sed 's/namespace: kube-system/namespace: weir/' "$WEIR_SOURCE_DIR/deploy/manifests/weir.yaml" |
        kubectl apply -f - >/dev/null
}
write_token() {
    kubectl create token -n weir weir --duration 24h >"$work/token.new"
    mv "$work/token.new" "$work/token"
}
# write_agent_kubeconfig SERVER: work/kubeconfig, with the token in work/token
write_agent_kubeconfig() {
    cat >"$work/kubeconfig" <<YAML
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: weir}}]
clusters: [{name: test, cluster: {server: "$1", certificate-authority: pki/ca.crt}}]
users: [{name: weir, user: {tokenFile: token}}]
YAML
}

# One etcd request over its JSON gateway: etcd PATH BODY
etcd_call() { curl -sf "http://127.0.0.1:2379/v3/$1" -d "$2"; }

# Forgets every version but the newest: a watch from an older one is told 410 Gone.
compact_etcd() {
    local revision
    revision=$(etcd_call kv/range '{"key":"AA=="}' | jq -r .header.revision)
    etcd_call kv/compaction "{\"revision\":\"$revision\",\"physical\":true}" >/dev/null
}

# ---- what a cluster with nodes needs besides ----

# make_node_identity NODE INDEX: the Node object, whose pods get 10.244.INDEX.0/24 and
# fd24:0:0:INDEX::/64, and kubeconfigs for its kubelet and kube-proxy
make_node_identity() {
    mkdir -p "$work/$1"
    client_certificate "system:node:$1" system:nodes
    write_kubeconfig "$work/$1/kubelet.kubeconfig" "system:node:$1"
    [ -f "$pki/system:kube-proxy.crt" ] || client_certificate system:kube-proxy weir-test
    write_kubeconfig "$work/$1/kube-proxy.kubeconfig" system:kube-proxy
    cp "$pki/ca.crt" "$work/$1/"
    kubectl apply -f - <<YAML >/dev/null
apiVersion: v1
kind: Node
metadata: {name: $1, labels: {kubernetes.io/hostname: $1, kubernetes.io/os: linux}}
spec:
  podCIDR: 10.244.$2.0/24
  podCIDRs: [10.244.$2.0/24, "fd24:0:0:$2::/64"]
YAML
}

start_controllers() {
    client_certificate system:kube-controller-manager weir-test
    client_certificate system:kube-scheduler weir-test
    write_kubeconfig "$work/controllers.kubeconfig" system:kube-controller-manager
    write_kubeconfig "$work/scheduler.kubeconfig" system:kube-scheduler
    "$kube/kube-controller-manager" --kubeconfig "$work/controllers.kubeconfig" \
        --use-service-account-credentials --service-account-private-key-file "$pki/sa.key" \
        --root-ca-file "$pki/ca.crt" --cluster-signing-cert-file "$pki/ca.crt" \
        --cluster-signing-key-file "$pki/ca.key" --leader-elect=false --allocate-node-cidrs \
        --cluster-cidr 10.244.0.0/16,fd24::/48 --service-cluster-ip-range 10.96.0.0/16,fd96::/112 \
        --cert-dir "$work/controllers" &>>"$work/controllers.log" &
    "$kube/kube-scheduler" --kubeconfig "$work/scheduler.kubeconfig" --leader-elect=false \
        --cert-dir "$work/scheduler" &>>"$work/scheduler.log" &
}
