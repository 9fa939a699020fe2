// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* What the shipped connect programs are measured beside: an empty program in the same hook, and
 * bare lookups of an LRU map with keys and values as large as a frontend's. */
#include <linux/bpf.h>
#include <linux/in.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi_service.h"

#define NEXT -1
#define CALL_PASSED 1

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, struct weir_service_key);
    __type(value, struct weir_service);
} bench_frontends SEC(".maps");

static __always_inline void bench_lookup(__be32 v4, __be16 port) {
    struct weir_service_key key = {.port = port, .protocol = IPPROTO_UDP};
    struct weir_service* service;

    key.address.words[2] = bpf_htonl(0xffff);
    key.address.words[3] = v4;
    service = bpf_map_lookup_elem(&bench_frontends, &key);
    if (service) service->spare++;
}

SEC("tcx/ingress")
int bench_packet_empty(struct __sk_buff* skb) {
    (void)skb;
    return NEXT;
}

SEC("tcx/ingress")
int bench_packet_lookup(struct __sk_buff* skb) {
    (void)skb;
    bench_lookup(bpf_htonl(0x0a600000), bpf_htons(80));
    return NEXT;
}

SEC("cgroup/connect4")
int bench_connect_empty(struct bpf_sock_addr* ctx) {
    (void)ctx;
    return CALL_PASSED;
}

SEC("cgroup/connect4")
int bench_connect_lookup(struct bpf_sock_addr* ctx) {
    bench_lookup(ctx->user_ip4, (__be16)ctx->user_port);
    return CALL_PASSED;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
