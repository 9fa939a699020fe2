/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Sends a packet on as a router does, past the node's stack: where to is what the node's own table
 * says. */
#ifndef WEIR_BPF_ROUTE_H
#define WEIR_BPF_ROUTE_H

#include "nat.h"

/* The node's own table says. source: of the packet as it will be; length: of it from its IP header
 * on, 0: not checked. */
static __always_inline void route_fill(struct bpf_fib_lookup* fib, const struct packet* packet,
                                       const struct weir_nat* nat,
                                       const struct weir_address* source, __u32 length) {
    fib->l4_protocol = packet->protocol;
    fib->sport = nat->source_port;
    fib->dport = nat->destination_port;
    fib->tot_len = length;
    if (packet->is_v6) {
        fib->family = FAMILY_V6;
        __builtin_memcpy(fib->ipv6_src, source, sizeof(*source));
        __builtin_memcpy(fib->ipv6_dst, &nat->destination, sizeof(nat->destination));
    } else {
        fib->family = FAMILY_V4;
        fib->ipv4_src = source->words[3];
        fib->ipv4_dst = nat->destination.words[3];
    }
}

/* Whether the address is one of the node's. The node's own table says. ctx: the program's. */
static __noinline int route_is_own(void* ctx, __u32 ifindex, const struct weir_address* address) {
    struct bpf_fib_lookup fib = {.ifindex = ifindex};

    if (address_is_mapped_v4(address)) {
        fib.family = FAMILY_V4;
        fib.ipv4_dst = address->words[3];
    } else {
        fib.family = FAMILY_V6;
        __builtin_memcpy(fib.ipv6_dst, address, sizeof(*address));
    }
    return bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) == BPF_FIB_LKUP_RET_NOT_FWDED;
}

/* From its IP header on, without a frame's padding. */
static __always_inline __u32 packet_length(struct __sk_buff* skb, const struct packet* packet) {
    __be16 length = 0;

    if (skb->gso_size) return skb->len - packet->l3_offset;
    if (packet->is_v6) {
        bpf_skb_load_bytes(skb, packet->l3_offset + offsetof(struct ipv6hdr, payload_len), &length,
                           sizeof(length));
        return bpf_ntohs(length) + sizeof(struct ipv6hdr);
    }
    bpf_skb_load_bytes(skb, packet->l3_offset + offsetof(struct iphdr, tot_len), &length,
                       sizeof(length));
    return bpf_ntohs(length);
}

static __always_inline void packet_hop(struct __sk_buff* skb, const struct packet* packet) {
    __u8 hops = packet->hop_limit - 1;

    if (packet->is_v6) {
        bpf_skb_store_bytes(skb, packet->l3_offset + offsetof(struct ipv6hdr, hop_limit), &hops,
                            sizeof(hops), 0);
        return;
    }
    bpf_skb_store_bytes(skb, packet->l3_offset + offsetof(struct iphdr, ttl), &hops, sizeof(hops),
                        0);
    bpf_l3_csum_replace(skb, packet->l3_offset + offsetof(struct iphdr, check),
                        bpf_htons(packet->hop_limit << 8), bpf_htons(hops << 8), sizeof(__be16));
}

/* To the next hop that the lookup found; the kernel finds its link address, if it has to. */
static __always_inline int packet_send(const struct bpf_fib_lookup* fib) {
    struct bpf_redir_neigh next = {.nh_family = fib->family};

    __builtin_memcpy(next.ipv6_nh, fib->ipv6_dst, sizeof(next.ipv6_nh));
    return bpf_redirect_neigh(fib->ifindex, &next, sizeof(next), 0);
}

#endif
