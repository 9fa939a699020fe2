// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* What the shipped programs are measured beside: an empty program in the same hook, and bare
 * lookups of an LRU map with keys and values as large as theirs: a frontend's at connect time, a
 * translated flow's at the uplink. */
#include <linux/bpf.h>
#include <linux/in.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi_uplink.h"

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

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 131072);
    __type(key, struct weir_nat_key);
    __type(value, struct weir_uplink_nat);
} bench_nat SEC(".maps");

/* The addresses and ports of an untagged IPv4 packet. */
static __always_inline int bench_flow(struct xdp_md* ctx, struct weir_nat_key* key) {
    void *data = (void*)(long)ctx->data, *end = (void*)(long)ctx->data_end;
    const __be32* addresses = data + 26;
    const __be16* ports = data + 34;

    if (data + 38 > end) return 0;
    key->source.words[2] = key->destination.words[2] = bpf_htonl(0xffff);
    key->source.words[3] = addresses[0];
    key->destination.words[3] = addresses[1];
    key->source_port = ports[0];
    key->destination_port = ports[1];
    key->protocol = IPPROTO_TCP;
    return 1;
}

SEC("xdp")
int bench_frame_empty(struct xdp_md* ctx) {
    (void)ctx;
    return XDP_PASS;
}

SEC("xdp")
int bench_frame_lookup(struct xdp_md* ctx) {
    struct weir_nat_key key = {};
    struct weir_uplink_nat* flow;

    if (!bench_flow(ctx, &key)) return XDP_DROP;
    flow = bpf_map_lookup_elem(&bench_nat, &key);
    if (flow) flow->nat.last_used++;
    return XDP_PASS;
}

SEC("xdp")
int bench_frame_insert(struct xdp_md* ctx) {
    struct weir_nat_key key = {};
    struct weir_uplink_nat flow = {};

    if (!bench_flow(ctx, &key)) return XDP_DROP;
    bpf_map_update_elem(&bench_nat, &key, &flow, BPF_NOEXIST);
    return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
