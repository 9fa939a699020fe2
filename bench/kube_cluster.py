#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A large cluster's objects, in a real API server, and how soon a node's maps follow them.

kube_cluster.py fill PODS POLICIES      creates them, in parallel
kube_cluster.py local                   prints the pods of node n1: namespace/name address
kube_cluster.py latency BPFFS COUNT     creates COUNT pods more, prints milliseconds for each

Of the API server it needs WEIR_API (host:port) and WEIR_PKI (folder of ca.crt, admin.crt and
admin.key). local and latency need WEIR_PODS, what fill was told.
"""
import concurrent.futures
import ctypes
import glob
import http.client
import ipaddress
import json
import os
import random
import ssl
import sys
import threading
import time

NAMESPACES = 1000
LOCAL_PODS = 110
PODS_PER_NODE = 110
WORKERS = 24


class Api:
    """One connection a thread."""

    def __init__(self):
        self.host, self.port = os.environ["WEIR_API"].rsplit(":", 1)
        pki = os.environ["WEIR_PKI"]
        self.tls = ssl.create_default_context(cafile=f"{pki}/ca.crt")
        self.tls.load_cert_chain(f"{pki}/admin.crt", f"{pki}/admin.key")
        self.threads = threading.local()

    def call(self, method, path, body, kind="application/json"):
        if not hasattr(self.threads, "connection"):
            self.threads.connection = http.client.HTTPSConnection(
                self.host, int(self.port), context=self.tls, timeout=60)
        connection = self.threads.connection
        connection.request(method, path, json.dumps(body), {"Content-Type": kind})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {answer.status} {text[:300]!r}")

    def create_pod(self, pod, address):
        base = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods"
        self.call("POST", base, pod)
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        self.call("PATCH", f"{base}/{pod['metadata']['name']}/status", {"status": status},
                  "application/merge-patch+json")


def address_of(index):
    return f"10.{100 + index // 62500}.{index // 250 % 250}.{index % 250 + 1}"


def namespace_of(index, pods):
    return index * NAMESPACES // pods


def is_local(index, pods):
    each = max(1, pods // LOCAL_PODS)
    return index % each == 0 and index // each < LOCAL_PODS


def pod(index, ns, node):
    draw = random.Random(index)
    labels = {"app": f"app-{draw.randrange(30)}", "env": draw.choice(["prod", "test"]),
              "release": f"r{draw.randrange(5)}", "role": f"role-{draw.randrange(4)}",
              "tier": f"tier-{draw.randrange(3)}"}
    ports = [{"name": "web", "containerPort": 8080}]
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": f"pod-{index}", "namespace": f"ns-{ns}", "labels": labels},
            "spec": {"nodeName": node,
                     "containers": [{"name": "c", "image": "none", "ports": ports}]}}


def peer(draw):
    team = {"matchLabels": {"team": f"team-{draw.randrange(20)}"}}
    block = draw.randrange(200)
    network = f"172.{16 + block % 16}.{block}"
    return draw.choice([
        {"podSelector": {"matchLabels": {"app": f"app-{draw.randrange(30)}"}}},
        {"namespaceSelector": team},
        {"namespaceSelector": team,
         "podSelector": {"matchLabels": {"role": f"role-{draw.randrange(4)}"}}},
        {"podSelector": {}},
        {"ipBlock": {"cidr": f"{network}.0/24", "except": [f"{network}.128/25"]}}])


def policy(index, ns):
    draw = random.Random(-index - 1)
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}
    if draw.randrange(3):
        spec["podSelector"] = {"matchLabels": {"tier": f"tier-{draw.randrange(3)}"}}
    for _ in range(2):
        ports = [{"port": 8000 + draw.randrange(100)}, {"port": "web"}]
        spec["ingress"].append({"from": [peer(draw), peer(draw)], "ports": ports})
    if draw.randrange(2):
        spec["policyTypes"].append("Egress")
        spec["egress"] = [{"to": [peer(draw), peer(draw)]}]
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": f"policy-{index}", "namespace": f"ns-{ns}"}, "spec": spec}


def in_parallel(make, count):
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as workers:
        for _ in workers.map(make, range(count)):
            pass


def fill(api, pods, policies):
    def make_namespace(i):
        api.call("POST", "/api/v1/namespaces", {
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": f"ns-{i}", "labels": {"team": f"team-{i % 20}"}}})

    def make_node(i):
        api.call("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node",
                                           "metadata": {"name": f"n{i + 1}"}})

    def make_pod(i):
        node = "n1" if is_local(i, pods) else f"n{2 + i // PODS_PER_NODE}"
        api.create_pod(pod(i, namespace_of(i, pods), node), address_of(i))

    def make_policy(i):
        ns = i * NAMESPACES // policies
        api.call("POST", f"/apis/networking.k8s.io/v1/namespaces/ns-{ns}/networkpolicies",
                 policy(i, ns))

    in_parallel(make_namespace, NAMESPACES)
    in_parallel(make_node, pods // PODS_PER_NODE + 2)
    # More processes than one: a Python process makes requests on one CPU.
    children = []
    for first in range(3):
        child = os.fork()
        if child == 0:
            api.threads = threading.local()
            in_parallel(lambda i, first=first: make_pod(3 * i + first), (pods - first + 2) // 3)
            in_parallel(lambda i, first=first: make_policy(3 * i + first),
                        (policies - first + 2) // 3)
            os._exit(0)
        children.append(child)
    if any(os.waitpid(child, 0)[1] != 0 for child in children):
        sys.exit("not all objects could be created")


class PinnedMap:
    """weir_peers, read by the bpf system call: address -> class."""

    SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
    LOOKUP, OBJ_GET = 1, 7

    def __init__(self, path):
        self.libc = ctypes.CDLL(None, use_errno=True)
        name = ctypes.create_string_buffer(path.encode())
        self.fd = self.bpf(self.OBJ_GET, ctypes.addressof(name), 0, 0)
        if self.fd < 0:
            sys.exit(f"{path}: {os.strerror(ctypes.get_errno())}")

    def bpf(self, command, *attributes):
        words = (ctypes.c_uint64 * len(attributes))(*attributes)
        return self.libc.syscall(self.SYS_BPF, command, words, ctypes.sizeof(words))

    def has(self, address):
        mapped = ipaddress.IPv6Address(f"::ffff:{address}").packed
        key = ctypes.create_string_buffer(mapped, 16)
        value = ctypes.create_string_buffer(8)
        return self.bpf(self.LOOKUP, self.fd, *map(ctypes.addressof, (key, value)), 0) == 0


def latency(api, bpffs, count):
    """From the API server's answer, which says that the pod's address is stored and on its way to
    who watches, until the maps have it."""
    peers = PinnedMap(glob.glob(f"{bpffs}/v*/weir_peers")[0])
    pods = int(os.environ["WEIR_PODS"])
    for i in range(count):
        index = pods + i
        # Into a namespace whose policies are in force here.
        ns = namespace_of(i % LOCAL_PODS * (pods // LOCAL_PODS), pods)
        address = address_of(index)
        api.create_pod(pod(index, ns, "n2"), address)
        begin = time.monotonic()
        while not peers.has(address):
            if time.monotonic() - begin > 10:
                sys.exit(f"{address} of pod-{index} in ns-{ns} is not in the maps after 10 s")
            time.sleep(0.0001)
        print((time.monotonic() - begin) * 1000)
        time.sleep(0.02)


def main():
    api = Api()
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "fill":
        fill(api, int(arguments[0]), int(arguments[1]))
    elif command == "local":
        pods = int(os.environ["WEIR_PODS"])
        for index in filter(lambda i: is_local(i, pods), range(pods)):
            print(f"ns-{namespace_of(index, pods)}/pod-{index} {address_of(index)}")
    elif command == "latency":
        latency(api, arguments[0], int(arguments[1]))
    else:
        sys.exit(__doc__)


main()
