/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where a packet goes from here, and the outer header of one that goes there encapsulated. */
#ifndef WEIR_BPF_UPLINK_ROUTE_H
#define WEIR_BPF_UPLINK_ROUTE_H

#include "nat_write.h"
#include "route.h"
#include "uplink_flow.h"

#define OUTER_HOP_LIMIT 64

static __always_inline __u32 ip_header_length(int is_v6) {
    return is_v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

/* The source of what is sent on. 0: the node has no address of the family. */
static __always_inline const struct weir_address* route_source(const struct weir_nat* nat,
                                                               int step) {
    const struct weir_uplink* node;

    if (step != STEP_ENCAPSULATE) return &nat->source;
    node = uplink_node();
    return node ? uplink_address(node, &nat->destination) : 0;
}

/* RFC 2003. length: of the packet inside. "Don't fragment": its MTU was looked at. */
static __always_inline void outer_v4(struct iphdr* ip, const struct weir_address* source,
                                     const struct weir_address* destination, __u32 length) {
    struct iphdr outer = {.tot_len = bpf_htons(length + sizeof(*ip)),
                          .frag_off = bpf_htons(0x4000),
                          .ttl = OUTER_HOP_LIMIT,
                          .protocol = IPPROTO_IPIP,
                          .saddr = source->words[3],
                          .daddr = destination->words[3]};

    *(__u8*)&outer = 0x45;
    /* Of the values: reading back what was just written in other sizes is slow. */
    outer.check =
        ~nat_fold_word((__u64)bpf_htons(0x4500) + outer.tot_len + bpf_htons(0x4000) +
                       bpf_htons(OUTER_HOP_LIMIT << 8 | IPPROTO_IPIP) + outer.saddr + outer.daddr);
    *ip = outer;
}

/* RFC 2473. */
static __always_inline void outer_v6(struct ipv6hdr* ip, const struct weir_address* source,
                                     const struct weir_address* destination, __u32 length) {
    __builtin_memset(ip, 0, sizeof(*ip));
    ip->version = 6;
    ip->payload_len = bpf_htons(length);
    ip->nexthdr = IPPROTO_IPV6;
    ip->hop_limit = OUTER_HOP_LIMIT;
    __builtin_memcpy(&ip->saddr, source, sizeof(*source));
    __builtin_memcpy(&ip->daddr, destination, sizeof(*destination));
}

#endif
