# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A real control plane for tests: etcd and kube-apiserver on loopback addresses, with certificates of
# their own. Meant to be sourced inside namespaces that vanish with the test (see api_test.sh).
# Needs: kube (folder of the programs), work (folder for all files).
: "${kube:?}" "${work:?}"

api_port=6443
server=https://127.0.0.1:$api_port

# certificate NAME SUBJECT EXTENSIONS: NAME.crt and NAME.key, signed by the test's authority
certificate() {
    openssl req -newkey rsa:2048 -nodes -keyout "$pki/$1.key" -subj "$2" 2>/dev/null |
        openssl x509 -req -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -days 2 -out "$pki/$1.crt" \
            -extfile <(printf '%s\n' "$3") 2>/dev/null
}

make_certificates() {
    pki=$work/pki
    mkdir -p "$pki"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=weir-test-ca \
        -keyout "$pki/ca.key" -out "$pki/ca.crt" 2>/dev/null
    certificate server /CN=kube-apiserver \
        "subjectAltName=DNS:kubernetes,DNS:localhost,IP:127.0.0.1,IP:::1"
    certificate admin /O=system:masters/CN=admin "extendedKeyUsage=clientAuth"
    openssl genrsa -out "$pki/sa.key" 2048 2>/dev/null
}

start_etcd() {
    "$kube/etcd" --data-dir "$work/etcd" --log-level error --unsafe-no-fsync \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380 &>"$work/etcd.log" &
}

start_apiserver() {
    "$kube/kube-apiserver" --etcd-servers http://127.0.0.1:2379 --secure-port $api_port \
        --bind-address :: --advertise-address 127.0.0.1 --service-cluster-ip-range 10.96.0.0/16 \
        --tls-cert-file "$pki/server.crt" --tls-private-key-file "$pki/server.key" \
        --client-ca-file "$pki/ca.crt" --authorization-mode RBAC --etcd-compaction-interval 0 \
        --service-account-issuer https://weir.test --service-account-key-file "$pki/sa.key" \
        --service-account-signing-key-file "$pki/sa.key" --cert-dir "$work/apiserver" \
        --disable-admission-plugins ServiceAccount &>>"$work/apiserver.log" &
    apiserver=$!
    until [ "$(curl -s --cacert "$pki/ca.crt" $server/readyz)" = ok ]; do
        kill -0 "$apiserver" 2>/dev/null || { tail "$work/apiserver.log" >&2 && return 1; }
        sleep 0.2
    done
}

stop_apiserver() {
    kill -9 "$apiserver"
    wait "$apiserver" 2>/dev/null || true
}

kubectl() {
    "$kube/kubectl" --server $server --certificate-authority "$pki/ca.crt" \
        --client-certificate "$pki/admin.crt" --client-key "$pki/admin.key" "$@"
}

# One etcd request over its JSON gateway: etcd PATH BODY
etcd_call() { curl -sf "http://127.0.0.1:2379/v3/$1" -d "$2"; }

# Forgets every version but the newest: a watch from an older one is told 410 Gone.
compact_etcd() {
    local revision
    revision=$(etcd_call kv/range '{"key":"AA=="}' | jq -r .header.revision)
    etcd_call kv/compaction "{\"revision\":\"$revision\",\"physical\":true}" >/dev/null
}
