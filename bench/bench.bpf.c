// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* What the shipped programs are measured beside: an empty program, bare lookups and inserts of LRU
 * maps of the shipped conntrack key and value, and a front that varies the flow of each run. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

#define PASS -1

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, struct weir_flow_key);
    __type(value, struct weir_flow);
} bench_flows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, struct weir_flow_key);
    __type(value, struct weir_flow);
} bench_inserts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct weir_flow_key);
    __type(value, struct weir_flow);
} bench_new SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} bench_egress SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} bench_ingress SEC(".maps");

__u64 run;         /* counts the runs; the flow of each follows from it */
__u32 stride = 1;  /* odd: visits all 65536 low halves, in another order than they were made in */
__u64 fresh;       /* counts the flows that never come back */
__u32 is_fresh;    /* vary to one of those: both ports */
__u32 port_offset; /* of the pod's port in the packet: source when it sends */
__u32 peer_offset; /* of the peer's port */

static __always_inline __u32 next_flow(void) {
    return ((__u32)run++ * stride) & 0xffff;
}

static __always_inline __u32 fresh_flow(void) {
    return (__u32)fresh++;
}

static __always_inline void bench_key(struct weir_flow_key* key, __u32 flow) {
    __builtin_memset(key, 0, sizeof(*key));
    key->low.words[2] = bpf_htonl(0xffff);
    key->low.words[3] = bpf_htonl(0x0a000001);
    key->high.words[2] = bpf_htonl(0xffff);
    key->high.words[3] = bpf_htonl(0x0a000002);
    key->low_port = flow;
    key->high_port = flow >> 16;
    key->protocol = IPPROTO_TCP;
}

SEC("tcx/ingress")
int bench_empty(struct __sk_buff* skb) {
    (void)skb;
    return PASS;
}

SEC("tcx/egress")
int bench_empty_egress(struct __sk_buff* skb) {
    (void)skb;
    return PASS;
}

SEC("tcx/ingress")
int bench_lookup_one(struct __sk_buff* skb) {
    struct weir_flow_key key;
    struct weir_flow* flow;

    (void)skb;
    bench_key(&key, 0);
    flow = bpf_map_lookup_elem(&bench_flows, &key);
    if (flow) flow->packets[0]++;
    return PASS;
}

SEC("tcx/ingress")
int bench_lookup_many(struct __sk_buff* skb) {
    struct weir_flow_key key;
    struct weir_flow* flow;

    (void)skb;
    bench_key(&key, next_flow());
    flow = bpf_map_lookup_elem(&bench_flows, &key);
    if (flow) flow->packets[0]++;
    return PASS;
}

static __always_inline int insert(void* map) {
    struct weir_flow_key key;
    struct weir_flow flow = {.first_seen = 1};

    bench_key(&key, fresh_flow() * 40503u);
    bpf_map_update_elem(map, &key, &flow, BPF_ANY);
    return PASS;
}

SEC("tcx/ingress")
int bench_insert(struct __sk_buff* skb) {
    (void)skb;
    return insert(&bench_inserts);
}

SEC("tcx/ingress")
int bench_insert_new(struct __sk_buff* skb) {
    (void)skb;
    return insert(&bench_new);
}

/* Gives the packet the next flow's ports. */
static __always_inline void vary(struct __sk_buff* skb) {
    void* data = (void*)(long)skb->data;
    void* end = (void*)(long)skb->data_end;
    __u32 flow = is_fresh ? fresh_flow() * 40503u : next_flow(), offset = port_offset & 0x7f;

    if (data + offset + 2 <= end) *(__u16*)(data + offset) = flow;
    if (!is_fresh) return;
    offset = peer_offset & 0x7f;
    /* Ports below the ephemeral range, so that the peer stays the server. */
    if (data + offset + 2 <= end) *(__u16*)(data + offset) = bpf_htons((flow >> 16) & 0x7fff);
}

SEC("tcx/ingress")
int bench_vary_egress(struct __sk_buff* skb) {
    vary(skb);
    bpf_tail_call(skb, &bench_egress, 0);
    return 0;
}

SEC("tcx/egress")
int bench_vary_ingress(struct __sk_buff* skb) {
    vary(skb);
    bpf_tail_call(skb, &bench_ingress, 0);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
