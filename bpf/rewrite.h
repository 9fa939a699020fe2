/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* As nat_write.h, for a packet that established_parse() took, without a call to the kernel: in a
 * program of its own, in which a hook ends that has let such a packet by. A program that writes to
 * packets begins with making them writable, which costs what a call does with all that a pod's
 * socket sends; the others should not pay for it. */
#ifndef WEIR_BPF_REWRITE_H
#define WEIR_BPF_REWRITE_H

#include <bpf/bpf_core_read.h>

#include "hook.h"
#include "nat_write.h"

/* How far a packet's transport checksum is computed, as the kernel has it in struct sk_buff. */
enum checksum_state {
    CHECKSUM_NONE = 0,
    CHECKSUM_UNNECESSARY = 1,
    CHECKSUM_COMPLETE = 2, /* the device summed up the packet as it came */
    CHECKSUM_PARTIAL = 3,  /* a device will complete it: it covers the pseudo header alone */
    CHECKSUM_UNKNOWN = 4
};

/* What of the kernel's own this file reads. */
struct sk_buff {
    __u8 ip_summed : 2;
} __attribute__((preserve_access_index));

#define LINUX_6_2 0x060200

extern int LINUX_KERNEL_VERSION __kconfig;
extern void* bpf_cast_to_kern_ctx(void*) __ksym __weak; /* there since Linux 6.2 */

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct weir_rewrite);
} weir_rewrites SEC(".maps");

static __always_inline enum checksum_state checksum_state_of(struct __sk_buff* skb) {
    const struct sk_buff* kernels;

    if (LINUX_KERNEL_VERSION < LINUX_6_2) return CHECKSUM_UNKNOWN;
    kernels = bpf_cast_to_kern_ctx(skb);
    return BPF_CORE_READ_BITFIELD(kernels, ip_summed);
}

static __always_inline struct weir_rewrite* rewrite_planned(void) {
    __u32 zero = 0;

    return bpf_map_lookup_elem(&weir_rewrites, &zero);
}

/* Notes what becomes of the packet. Returns 0 where only the helpers know what to do. */
static __always_inline int rewrite_plan(struct __sk_buff* skb, const struct weir_nat* to) {
    enum checksum_state state = checksum_state_of(skb);
    struct weir_rewrite* planned;

    if (unlikely(state == CHECKSUM_COMPLETE || state == CHECKSUM_UNKNOWN)) return 0;
    planned = rewrite_planned();
    if (!planned) return 0;
    planned->to = *to;
    planned->is_partial = state == CHECKSUM_PARTIAL;
    return 1;
}

static __noinline int rewrite_by_helpers(struct __sk_buff* skb, const struct weir_nat* to) {
    struct packet packet = {};

    if (packet_parse_fast(skb, &packet)) nat_write(skb, &packet, to);
    return 0;
}

/* As planned, where there is no program that writes. */
static __noinline int rewrite_as_planned(struct __sk_buff* skb) {
    const struct weir_rewrite* planned = rewrite_planned();

    return planned ? rewrite_by_helpers(skb, &planned->to) : 0;
}

/* The transport's checksum. addresses: what they differ by; from, to: the ports. */
static __always_inline __u16 rewrite_checksum(__u16 check, int is_partial, __u32 addresses,
                                              __be32 from, __be32 to) {
    if (is_partial) return nat_fold_word((__u64)check + addresses);
    return ~nat_fold_word((__u64)(__u16)~check + addresses + (__u32)~from + to);
}

/* Ports and checksum. A UDP checksum of 0 says that there is none, and stays; one that comes to 0
 * is 0xffff. */
static __always_inline void rewrite_transport(void* transport, __u8 protocol,
                                              const struct weir_rewrite* planned, __u32 addresses) {
    __be32 to = *(const __be32*)&planned->to.source_port;
    __be32* ports = transport;
    struct tcphdr* tcp = transport;
    struct udphdr* udp = transport;

    if (protocol == IPPROTO_TCP) {
        tcp->check = rewrite_checksum(tcp->check, planned->is_partial, addresses, *ports, to);
    } else if (udp->check) {
        udp->check = rewrite_checksum(udp->check, planned->is_partial, addresses, *ports, to);
        if (!udp->check) udp->check = 0xffff;
    }
    *ports = to;
}

/* Writes what was planned. Returns the hook's verdict: to drop is for the verifier, the hook saw
 * that the headers are there. */
static __always_inline int rewrite_packet(struct __sk_buff* skb) {
    const struct weir_rewrite* planned = rewrite_planned();
    void* data = (void*)(long)skb->data;
    void* end = (void*)(long)skb->data_end;
    struct ethhdr* eth = data;
    struct ipv6hdr* v6 = data + sizeof(*eth);
    struct iphdr* v4 = data + sizeof(*eth);
    __u32 difference;

    if (!planned || (void*)(v4 + 1) + sizeof(struct tcphdr) > end) return VERDICT_DROP;
    if (eth->h_proto == bpf_htons(ETH_P_IP)) {
        __be32 to[2] = {planned->to.source.words[3], planned->to.destination.words[3]};

        difference = nat_fold(nat_difference(&v4->saddr, to, 2));
        v4->check = ~nat_fold_word((__u64)(__u16)~v4->check + difference);
        v4->saddr = to[0];
        v4->daddr = to[1];
        rewrite_transport(v4 + 1, v4->protocol, planned, difference);
        return VERDICT_PASS;
    }
    if ((void*)(v6 + 1) + sizeof(struct tcphdr) > end) return VERDICT_DROP;
    difference = nat_fold(nat_difference(&v6->saddr, &planned->to, 8));
    __builtin_memcpy(&v6->saddr, &planned->to, 2 * sizeof(struct weir_address));
    rewrite_transport(v6 + 1, v6->nexthdr, planned, difference);
    return VERDICT_PASS;
}

#endif
