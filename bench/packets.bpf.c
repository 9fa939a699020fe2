// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* What the pods' programs are measured beside where they translate: bare lookups of an LRU map of
 * the shipped key and value, and a front that makes each run's packet what it was before the last.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/abi_service.h"

#define NEXT -1
#define HEADERS 24      /* the IPv4 checksum, in a frame without tags ... */
#define HEADERS_SIZE 28 /* ... up to TCP's, behind a header without options */

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 131072);
    __type(key, struct weir_nat_key);
    __type(value, struct weir_nat);
} bench_nat SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} bench_sent SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} bench_received SEC(".maps");

__u8 headers[HEADERS_SIZE];
__u8 known[sizeof(struct weir_nat_key)]; /* in bench_nat */

SEC("tcx/ingress")
int bench_restore_sent(struct __sk_buff* skb) {
    bpf_skb_store_bytes(skb, HEADERS, headers, sizeof(headers), 0);
    bpf_tail_call(skb, &bench_sent, 0);
    return NEXT;
}

SEC("tcx/egress")
int bench_restore_received(struct __sk_buff* skb) {
    bpf_skb_store_bytes(skb, HEADERS, headers, sizeof(headers), 0);
    bpf_tail_call(skb, &bench_received, 0);
    return NEXT;
}

SEC("tcx/ingress")
int bench_restore_lookup(struct __sk_buff* skb) {
    struct weir_nat_key key;
    struct weir_nat* nat;

    __builtin_memcpy(&key, known, sizeof(key));
    bpf_skb_store_bytes(skb, HEADERS, headers, sizeof(headers), 0);
    nat = bpf_map_lookup_elem(&bench_nat, &key);
    if (nat) nat->flags++;
    return NEXT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
